"""Sets the platform up over its HTTP API: a source, a dataset, mail, annotations, a pinned model, a trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from bridge.app.demo.failures import BadInput, DemoFailed
from bridge.app.demo.oracle import Promised
from bridge.app.demo.scenario import Scenario
from bridge.app.demo.uploads import Upload

PROJECT, SOURCE, DATASET = "demo", "inbox", "back-office"
WITNESS = "demo-witness"
"""A second trigger over the same data, read here and by nobody else: what it gives, the bridge's one gives."""
TIMEOUT_S = 60.0
TRAIN_TIMEOUT_S = 600.0
ANNOTATIONS_A_CALL = 1000
WITNESS_PAGE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A pinned version, with how many labels and annotated comments it was trained on."""

    version: int
    labels: int
    examples: int


class _ExpectedLine(msgspec.Struct):
    uid: str
    sequence_id: str
    created_at: str
    labels: list[_ExpectedLabel] | None


class _ExpectedLabel(msgspec.Struct):
    name: tuple[str, ...]
    probability: float


class Stage:
    """One platform. Raises DemoFailed with the platform's own message; BadInput where it refuses a comment."""

    def __init__(self, base_url: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )
        self._source_id = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def create(self, scenario: Scenario) -> None:
        """The source and the dataset over it."""
        source = {"title": "Shared inbox", "description": "Made by bridge demo", "language": "en"}
        answer = await self._send("PUT", f"/api/v1/sources/{PROJECT}/{SOURCE}", {"source": source})
        self._source_id = str(answer["source"]["id"])
        dataset: dict[str, object] = {
            "title": "Back office",
            "source_ids": [self._source_id],
            "model_family": "english",
            "has_sentiment": False,
        }
        if scenario.entity_kinds:
            dataset["entity_kinds"] = list(scenario.entity_kinds)
        await self._send("PUT", f"/api/v1/datasets/{PROJECT}/{DATASET}", {"dataset": dataset})

    async def upload(self, uploads: Sequence[Upload]) -> None:
        """One call of `sync`: its comments share their upload time, so order is between calls only."""
        comments = [upload.comment for upload in uploads]
        try:
            await self._send("POST", f"/api/v1/sources/{PROJECT}/{SOURCE}/sync", {"comments": comments})
        except _Refused as refused:
            raise BadInput(f"the platform refuses a comment: {refused}") from refused

    async def annotate(self, uploads: Sequence[Upload]) -> int:
        """Uploads the labels of those that teach; says how many."""
        annotations = [
            {"comment_uid": self.uid(upload), "labels": [{"name": list(label)} for label in upload.labels]}
            for upload in uploads
            if upload.teaches
        ]
        path = f"/api/v1/datasets/{PROJECT}/{DATASET}/sync-annotations"
        for start in range(0, len(annotations), ANNOTATIONS_A_CALL):
            await self._send("POST", path, {"annotations": annotations[start : start + ANNOTATIONS_A_CALL]})
        return len(annotations)

    def uid(self, upload: Upload) -> str:
        """As the platform names the comment."""
        return f"{self._source_id}.{upload.comment_id}"

    async def train_and_pin(self) -> Model:
        """By the sandbox's own routes: the platform's public API has none for it."""
        base = f"/_sandbox/datasets/{PROJECT}/{DATASET}"
        trained = (await self._send("POST", f"{base}/train", {}, timeout_s=TRAIN_TIMEOUT_S))["model"]
        await self._send("POST", f"{base}/models/{trained['version']}/pin", {})
        return Model(version=trained["version"], labels=len(trained["labels"]), examples=trained["examples"])

    async def create_trigger(self, name: str, model: Model) -> None:
        """Without thresholds: every label comes, and the routes decide."""
        trigger = {"name": name, "title": "Mail", "model": {"version": model.version}}
        await self._send("PUT", f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers", {"trigger": trigger})

    async def promised(self, scenario: Scenario, model: Model, uploads: Sequence[Upload]) -> list[Promised]:
        """All that the trigger will ever deliver, in its order."""
        properties = {self.uid(upload): upload.comment.get("user_properties") for upload in uploads}
        entities = await self._entities(model) if scenario.asks_for_entities else {}
        path = f"/_sandbox/datasets/{PROJECT}/{DATASET}/triggers/{scenario.trigger}/expected"
        answer = await self._request("GET", path, None, TRAIN_TIMEOUT_S)
        lines = [msgspec.json.decode(line, type=_ExpectedLine) for line in answer.content.splitlines()]
        return [_promised(line, properties.get(line.uid), entities.get(line.sequence_id)) for line in lines]

    async def _entities(self, model: Model) -> Mapping[str, frozenset[str]]:
        """The kinds in each result, by sequence id, read from the witness to its end."""
        await self.create_trigger(WITNESS, model)
        path = f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{WITNESS}"
        found: dict[str, frozenset[str]] = {}
        while True:
            page = await self._send("POST", f"{path}/fetch", {"size": WITNESS_PAGE}, timeout_s=TRAIN_TIMEOUT_S)
            for result in page["results"]:
                found[result["sequence_id"]] = frozenset(entity["kind"] for entity in result["entities"])
            if not page["results"] and not page["filtered"]:
                return found
            await self._send("POST", f"{path}/advance", {"sequence_id": page["sequence_id"]})

    async def _send(
        self, method: str, path: str, body: Mapping[str, object], timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        answer = await self._request(method, path, msgspec.json.encode(body), timeout_s)
        decoded: dict[str, Any] = msgspec.json.decode(answer.content)
        return decoded

    async def _request(self, method: str, path: str, body: bytes | None, timeout_s: float) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            answer = await self._http.request(method, path, content=body, headers=headers, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise DemoFailed(f"the platform does not answer {method} {path}: {type(error).__name__}") from error
        if answer.is_success:
            return answer
        sentence = f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        raise _Refused(sentence) if answer.status_code == httpx.codes.BAD_REQUEST else DemoFailed(sentence)


class _Refused(DemoFailed):
    """The platform says that what was sent is wrong."""


def _promised(line: _ExpectedLine, properties: object, entities: frozenset[str] | None) -> Promised:
    return Promised(
        sequence_id=line.sequence_id,
        uid=line.uid,
        created_at=line.created_at,
        labels=tuple((label.name, label.probability) for label in line.labels or ()),
        entities=entities or frozenset(),
        user_properties=properties if isinstance(properties, Mapping) else {},
    )
