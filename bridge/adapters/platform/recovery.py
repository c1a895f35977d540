"""Results the platform is asked for once more: the comment as it is now, predicted by the trigger's own model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.resources import Asked, Prediction, WantedLabel
from bridge.adapters.platform.triggers import PinnedModel
from bridge.adapters.platform.workspace import Workspace
from bridge.domain.errors import Blocked
from bridge.domain.model import TriggerRef

GONE = "trigger_missing"
"""The code of every 404: here it is the comment that is missing."""
ALL_LABELS = 0.0


class PlatformRecovery:
    """As the port says. Needs the rights to see sources and to predict, which a running bridge does not need."""

    def __init__(self, client: PlatformClient, workspace: Workspace) -> None:
        self._client = client
        self._workspace = workspace
        self._sources: dict[str, str] = {}

    async def recover(self, trigger: TriggerRef, uids: Collection[str]) -> Mapping[str, bytes]:
        """Comments that are gone, or in a source that is, are left out."""
        comments = {uid: comment for uid in uids if (comment := await self._comment(uid)) is not None}
        if not comments:
            return {}
        model = (await self._client.get(trigger)).model
        predicted = await self._predicted(trigger, model, list(comments)) if model else {}
        return {uid: result_body(comment, predicted.get(uid)) for uid, comment in comments.items()}

    async def _comment(self, uid: str) -> dict[str, Any] | None:
        source_id, _, comment_id = uid.partition(".")
        if source_id not in self._sources:
            self._sources = {
                source.id: f"{source.owner}/{source.name}" for source in await self._workspace.sources.listing()
            }
        if source_id not in self._sources or not comment_id:
            return None
        try:
            return await self._workspace.comments.get(self._sources[source_id], comment_id)
        except Blocked as error:
            if error.code != GONE:
                raise
            return None

    async def _predicted(self, trigger: TriggerRef, model: PinnedModel, uids: list[str]) -> dict[str, Prediction]:
        ref = f"{trigger.project}/{trigger.dataset}"
        found = await self._workspace.predictions.comments(ref, str(model.version), uids, asked_for(model))
        return {each.uid: each for each in found if each.uid}


def asked_for(model: PinnedModel) -> Asked:
    """The labels the trigger lets through, each from its threshold on; all of them where it names none (or an empty
    list, as some platforms spell that)."""
    if not model.label_thresholds:
        return Asked(threshold=ALL_LABELS)
    named = [
        WantedLabel(name=each.name) if each.threshold is None else WantedLabel(name=each.name, threshold=each.threshold)
        for each in model.label_thresholds
    ]
    return Asked(labels=tuple(named))


def result_body(comment: Mapping[str, Any], prediction: Prediction | None, **more: str) -> bytes:
    """A result as fetch gives it, but for the sequence id where `more` has none."""
    predicted = prediction.model_dump(mode="json", exclude_none=True) if prediction else {}
    labels = [{key: value for key, value in each.items() if value != []} for each in predicted.get("labels", ())]
    return msgspec.json.encode(
        {"comment": comment, "labels": labels, "entities": predicted.get("entities", []), **more}
    )
