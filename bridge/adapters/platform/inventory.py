"""What the platform has for a trigger, read without moving its position: for audits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.comments import PAGE_MAX
from bridge.adapters.platform.recovery import GONE, asked_for, result_body
from bridge.adapters.platform.resources import Prediction
from bridge.adapters.platform.triggers import PinnedModel, Trigger
from bridge.adapters.platform.wire import decode_result
from bridge.adapters.platform.workspace import Workspace
from bridge.domain.errors import Blocked
from bridge.domain.instant import parse_instant
from bridge.domain.model import Result, TriggerRef, Undecodable, created_at

Json = Mapping[str, Any]
NO_POSITION = "none"
"""A sequence id where there is none: rules do not look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The beginning of what a trigger would give next: `next_at` is the upload time of that result, None where there
    is none or it has none; `is_all_passed` where nothing waits. `is_of_today` tells a platform that shows filters."""

    next_at: datetime | None
    is_all_passed: bool
    is_of_today: bool


class Inventory:
    """Needs the rights to see triggers and sources, and to predict where rules are to be asked."""

    def __init__(self, client: PlatformClient, workspace: Workspace) -> None:
        self._client = client
        self._workspace = workspace

    async def trigger(self, ref: TriggerRef) -> Trigger:
        """As it is now."""
        return await self._client.get(ref)

    async def ahead(self, ref: TriggerRef) -> Ahead:
        """A fetch alone gives a page again and again: nothing is advanced past."""
        page = await self._client.fetch(ref, 1, max_filtered=1024)
        first = next(iter(page.results), None)
        return Ahead(
            next_at=parse_instant(created_at(first)) if first else None,
            is_all_passed=first is None and (page.is_end is True or page.filtered == 0),
            is_of_today=page.is_end is not None,
        )

    async def sources(self, project: str, dataset: str) -> tuple[Mapping[str, int], int]:
        """Those of a dataset as `owner/name` with how many comments they have; and how many the token may not see."""
        wanted = (await self._workspace.datasets.get(f"{project}/{dataset}")).source_ids
        names = {each.id: f"{each.owner}/{each.name}" for each in await self._workspace.sources.listing()}
        seen = [names[each] for each in wanted if each in names]
        counts = {name: await self._workspace.sources.count_comments(name) for name in seen}
        return counts, len(wanted) - len(seen)

    async def pages(self, source: str) -> AsyncIterator[Sequence[Json]]:
        """All its comments: the platform lists them by their own time, so none of upload can be asked for."""
        page: list[Json] = []
        async for comment in self._workspace.comments.listing(source):
            page.append(comment)
            if len(page) == PAGE_MAX:
                yield page
                page = []
        yield page

    async def results(
        self, ref: TriggerRef, model: PinnedModel | None, comments: Collection[Json]
    ) -> Mapping[str, Result | Undecodable]:
        """By uid, as the trigger would give them now; those that are gone meanwhile are left out."""
        by_uid = {str(each["uid"]): each for each in comments}
        if model is None:
            predicted: Mapping[str, Prediction | None] = dict.fromkeys(by_uid)
        else:
            predicted = await self._predicted(ref, model, list(by_uid))
        return {
            uid: decode_result(result_body(by_uid[uid], prediction, sequence_id=NO_POSITION))
            for uid, prediction in predicted.items()
            if uid in by_uid
        }

    async def _predicted(self, ref: TriggerRef, model: PinnedModel, uids: list[str]) -> dict[str, Prediction]:
        dataset = f"{ref.project}/{ref.dataset}"
        try:
            found = await self._workspace.predictions.comments(dataset, str(model.version), uids, asked_for(model))
        except Blocked as error:
            if error.code != GONE:
                raise
            # One that was deleted since it was listed refuses them all.
            halves = [uids[: len(uids) // 2], uids[len(uids) // 2 :]] if len(uids) > 1 else []
            parts = [await self._predicted(ref, model, half) for half in halves]
            return {uid: prediction for part in parts for uid, prediction in part.items()}
        return {each.uid: each for each in found if each.uid}
