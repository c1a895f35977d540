"""The file of `bridge test`: results, briefly written, and where they must go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, TypeAdapter, ValidationError

from bridge.app.cli.result_input import results_in
from bridge.app.config.document import Reader, Section, opened
from bridge.app.config.findings import Findings
from bridge.app.config.mistakes import Path as Where
from bridge.app.config.sentences import report
from bridge.app.config.shape import Closed, LabelPattern, Number, Text, Topic
from bridge.app.config.values import did_you_mean
from bridge.domain.plan import TriggerPlan

UID = "0000000000000000.00"
SEQUENCE_ID = "bridge-test"
CREATED_AT = "2020-06-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`result` is as the platform sends it. `routes`, `shadow` and `key` are None where nothing is expected of them."""

    name: str
    file: str
    line: int
    plan: TriggerPlan
    result: bytes
    topics: tuple[str, ...]
    routes: tuple[str, ...] | None
    shadow: tuple[str, ...] | None
    key: str | None


class LabelSection(Closed):
    """One prediction, written out."""

    label: LabelPattern
    probability: Number = 1.0
    sentiment: Number | None = None

    def as_json(self) -> dict[str, Any]:
        """As the platform sends it."""
        sentiment = {} if self.sentiment is None else {"sentiment": self.sentiment}
        return {"name": list(self.label), "probability": self.probability, **sentiment}


_LABELS = TypeAdapter(list[LabelSection])
_LABELS_BY_NAME = TypeAdapter(dict[str, LabelSection])


def _labels(value: object) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        by_name = {name: {"label": name, **_about(each)} for name, each in value.items()}
        return [label.as_json() for label in _LABELS_BY_NAME.validate_python(by_name).values()]
    if isinstance(value, list):
        return [label.as_json() for label in _LABELS.validate_python(value)]
    raise ValueError("labels are written as {Trade > Settlement: 0.9}, or as a list with label and probability")


def _about(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {"probability": value}


def _entities(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("entities are a list of kinds, such as [monetary-quantity]")
    return [{"kind": each, "name": each} for each in value]


def _properties(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or any(isinstance(each, (dict, list)) for each in value.values()):
        raise ValueError('user_properties are written as {"string:Country": uk}')
    return dict(value)


class ResultSection(Closed):
    """A result with only what routing looks at."""

    labels: Annotated[list[dict[str, Any]], PlainValidator(_labels)] = []  # noqa: RUF012  pydantic copies defaults
    entities: Annotated[list[dict[str, str]], PlainValidator(_entities)] = []  # noqa: RUF012
    user_properties: Annotated[dict[str, Any], PlainValidator(_properties)] = {}  # noqa: RUF012
    uid: Text = UID
    thread_id: Text | None = None
    created_at: Text = CREATED_AT

    def as_bytes(self) -> bytes:
        """As the platform would have sent it."""
        comment = {
            "uid": self.uid,
            "created_at": self.created_at,
            "user_properties": self.user_properties,
            **({"thread_id": self.thread_id} if self.thread_id else {}),
        }
        result = {"comment": comment, "sequence_id": SEQUENCE_ID, "labels": self.labels, "entities": self.entities}
        return json.dumps(result).encode()


class CaseSection(Closed):
    """A result and where it must go."""

    name: Text | None = None
    trigger: Text | None = None
    result: ResultSection | None = None
    result_file: Text | None = None
    topics: list[Topic]
    routes: list[Text] | None = None
    shadow: list[Text] | None = None
    key: str | None = None


def load_cases(file: Path, env: Mapping[str, str], plans: Mapping[str, TriggerPlan]) -> list[Case]:
    """The cases of a file, a list by itself or under `cases`. Raises ConfigError with every mistake."""
    root, findings = opened(file)
    values = Reader(env, findings).value(root, ())
    loader = _Loader(file, plans, findings)
    cases = [case for path, value in _written(values, findings) if (case := loader.case(path, value))]
    findings.raise_errors()
    return cases


def _written(values: object, findings: Findings) -> Iterator[tuple[Where, object]]:
    around: Where = ()
    if isinstance(values, Section):
        for key in values.keys() - {"cases"}:
            findings.error((key,), "unknown_key", f"unknown key `{key}`: known here is cases", at_key=True)
        around, values = ("cases",), values.get("cases")
    if not isinstance(values, list) or not values:
        findings.error(around, "list_type", "write a list of cases, each with `result` and `topics`")
        return
    for place, value in enumerate(values):
        yield (*around, place), value


class _Loader:
    def __init__(self, file: Path, plans: Mapping[str, TriggerPlan], findings: Findings) -> None:
        self._file = file
        self._plans = plans
        self._findings = findings

    def case(self, path: Where, value: object) -> Case | None:
        """None where a mistake was reported."""
        try:
            section = CaseSection.model_validate(value, context=self._findings)
        except ValidationError as error:
            report(error, path, self._findings)
            return None
        plan, result = self._plan(section, path), self._result(section, path)
        if plan is None or result is None:
            return None
        self._check_routes(section, plan, path)
        return Case(
            name=section.name or f"case {path[-1]}",
            file=str(self._file),
            line=self._findings.line(path),
            plan=plan,
            result=result,
            topics=tuple(section.topics),
            routes=None if section.routes is None else tuple(section.routes),
            shadow=None if section.shadow is None else tuple(section.shadow),
            key=section.key,
        )

    def _plan(self, section: CaseSection, path: Where) -> TriggerPlan | None:
        if section.trigger is None and len(self._plans) == 1:
            return next(iter(self._plans.values()))
        if found := self._plans.get(section.trigger or ""):
            return found
        known = f"the configuration has {', '.join(self._plans)}"
        if section.trigger is None:
            self._findings.error(path, "missing_key", f"`trigger` is missing here: {known}")
        else:
            sentence = f"no trigger named `{section.trigger}`{did_you_mean(section.trigger, self._plans)}; {known}"
            self._findings.error((*path, "trigger"), "unknown_trigger", sentence)
        return None

    def _result(self, section: CaseSection, path: Where) -> bytes | None:
        if (section.result is None) is (section.result_file is None):
            self._findings.error(path, "one_result", "a case has either `result` or `result_file`")
            return None
        if section.result is not None:
            return section.result.as_bytes()
        return self._from_file(self._file.parent / str(section.result_file), (*path, "result_file"))

    def _from_file(self, file: Path, path: Where) -> bytes | None:
        try:
            with file.open("rb") as lines:
                results = list(results_in(lines))
        except (OSError, ValueError) as error:
            self._findings.error(path, "bad_result_file", f"{file}: {error}")
            return None
        if len(results) != 1:
            self._findings.error(path, "bad_result_file", f"{file} holds {len(results)} results: a case is about one")
            return None
        return results[0].raw

    def _check_routes(self, section: CaseSection, plan: TriggerPlan, path: Where) -> None:
        for key, shadow, expected in (("routes", False, section.routes), ("shadow", True, section.shadow)):
            known = [route.name for route in plan.rules.routes if route.shadow is shadow]
            for place, name in enumerate(expected or ()):
                if name not in known and name not in ("unmatched", "dead_letter"):
                    kind = "shadow route" if shadow else "route"
                    sentence = f"{plan.name} has no {kind} named `{name}`{did_you_mean(name, known)}"
                    self._findings.error((*path, key, place), "unknown_route", sentence)
