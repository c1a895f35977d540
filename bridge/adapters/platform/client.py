"""All operations on triggers. Each raises Retry, Throttled, Blocked or StopTrigger, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self

import httpx

from bridge.adapters.platform.answers import bad_answer, read_answer, read_stream_page, read_trigger
from bridge.adapters.platform.budget import Budget
from bridge.adapters.platform.exchange import Ask, Exchange
from bridge.adapters.platform.routes import Routes
from bridge.adapters.platform.settings import Api, PlatformSettings
from bridge.adapters.platform.triggers import StreamPage, Trigger, TriggerException, TriggerSpec
from bridge.adapters.platform.wire import decode_page
from bridge.domain.model import Batch, SequenceId, TriggerRef
from bridge.ports import Clock

UNTAGGED_AT_ONCE = 32
"""Uids travel in the URL, and a uid can have a thousand characters."""


class PlatformClient:
    """One per platform host, shared by all triggers of the process; use it as an async context manager.

    `trace_headers` gives the `traceparent` of the moment; `on_answer` hears of each request's operation and its HTTP
    status, or our code where there was none.
    """

    def __init__(
        self,
        settings: PlatformSettings,
        clock: Clock,
        *,
        budget: Budget | None = None,
        trace_headers: Callable[[], Mapping[str, str]] = dict,
        on_answer: Callable[[str, str], None] = lambda _op, _code: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._routes = Routes(settings)
        self._timeout_s = settings.timeout_s
        self._advance_timeout_s = settings.advance_timeout_s
        self._one, self._many = ("stream", "streams") if settings.api is Api.STREAMS else ("trigger", "triggers")
        budget = budget or Budget(
            per_s=settings.requests_per_s_max, in_flight_max=settings.requests_in_flight_max, clock=clock
        )
        self._exchange = Exchange(settings, clock, budget, trace_headers, on_answer, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; a request under way fails."""
        await self._exchange.aclose()

    async def create(self, project: str, dataset: str, spec: TriggerSpec) -> Trigger:
        """Where it starts in the data the platform does not say."""
        url = self._routes.triggers(project, dataset)
        return self._trigger_in(await self._send("create", "PUT", url, {self._one: spec.as_sent()}))

    async def list_triggers(self, project: str, dataset: str) -> Sequence[Trigger]:
        """All triggers of a dataset."""
        answer = await self._send("list", "GET", self._routes.triggers(project, dataset))
        found = answer.get(self._many)
        if not isinstance(found, list):
            raise bad_answer(f"the answer has no list of {self._many}")
        return [read_trigger(value) for value in found]

    async def get(self, ref: TriggerRef) -> Trigger:
        """One trigger."""
        return self._trigger_in(await self._send("get", "GET", self._routes.trigger(ref)))

    async def update(self, ref: TriggerRef, spec: TriggerSpec) -> Trigger:
        """Change what the spec sets."""
        return self._trigger_in(
            await self._send("update", "POST", self._routes.trigger(ref), {self._one: spec.as_sent()})
        )

    async def delete(self, ref: TriggerRef) -> None:
        """Blocked `trigger_missing` where it is gone already (trap 32)."""
        await self._send("delete", "DELETE", self._routes.trigger(ref))

    async def fetch(self, ref: TriggerRef, size: int, max_filtered: int | None = None) -> Batch:
        """The next batch; the position does not move. With `max_filtered`, that many do not count towards `size`."""
        url = self._routes.trigger(ref, "fetch")
        body = _fetch_body(size, max_filtered)
        ask = Ask(op="fetch", method="POST", url=url, body=body, timeout_s=self._timeout_s)
        return decode_page(await self._exchange.send(ask), size)

    async def results(
        self, ref: TriggerRef, max_results: int | None = None, max_filtered: int | None = None
    ) -> StreamPage:
        """The platform's newer read. Its results have another form than those of fetch and are not decoded here."""
        limits = (("max_results", max_results), ("max_filtered", max_filtered))
        params = tuple((name, limit) for name, limit in limits if limit is not None)
        url = self._routes.results(ref)
        ask = Ask(op="results", method="GET", url=url, params=params, timeout_s=self._timeout_s)
        return read_stream_page(await self._exchange.send(ask))

    async def advance(self, ref: TriggerRef, sequence_id: SequenceId) -> SequenceId | None:
        """Move the position to there; what the platform says it is now, or None where it does not say.

        The time-out is short, so that a late advance of a worker that lost its trigger is over before the next (D15).
        """
        answer = await self._send(
            "advance",
            "POST",
            self._routes.trigger(ref, "advance"),
            {"sequence_id": sequence_id},
            timeout_s=self._advance_timeout_s,
        )
        echoed = answer.get("sequence_id")
        return SequenceId(echoed) if isinstance(echoed, str) else None

    async def reset(self, ref: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        """Move the position to before the first comment uploaded at or after then; an instant without zone is UTC.

        It moves the position, so its time-out is that of an advance.
        """
        body = {"to_comment_created_at": instant_text(to_comment_created_at)}
        url = self._routes.trigger(ref, "reset")
        answer = await self._send("reset", "POST", url, body, timeout_s=self._advance_timeout_s)
        sequence_id = answer.get("sequence_id")
        if not isinstance(sequence_id, str) or not sequence_id:
            raise bad_answer("the answer to reset has no sequence_id")
        return SequenceId(sequence_id)

    async def tag_exceptions(self, ref: TriggerRef, exceptions: Sequence[TriggerException]) -> None:
        """Mark comments for people to look at."""
        tags = [{"uid": exception.uid, "metadata": {"type": exception.type}} for exception in exceptions]
        await self._send("tag_exceptions", "PUT", self._routes.trigger(ref, "exceptions"), {"exceptions": tags})

    async def untag_exceptions(self, ref: TriggerRef, uids: Sequence[str]) -> None:
        """Take the marks off, some at a time: the first failure leaves the rest marked."""
        for start in range(0, len(uids), UNTAGGED_AT_ONCE):
            params = tuple(("uid", uid) for uid in uids[start : start + UNTAGGED_AT_ONCE])
            await self._send("untag_exceptions", "DELETE", self._routes.trigger(ref, "exceptions"), params=params)

    async def _send(
        self,
        op: str,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: tuple[tuple[str, str], ...] = (),
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        deadline_s = self._timeout_s if timeout_s is None else timeout_s
        ask = Ask(op=op, method=method, url=url, body=body, params=params, timeout_s=deadline_s)
        return read_answer(await self._exchange.send(ask))

    def _trigger_in(self, answer: Mapping[str, Any]) -> Trigger:
        return read_trigger(answer.get(self._one))


@lru_cache
def _fetch_body(size: int, max_filtered: int | None) -> bytes:
    """The same at every poll."""
    limits = {"size": size, "max_filtered": max_filtered}
    return json.dumps({name: limit for name, limit in limits.items() if limit is not None}).encode()


def instant_text(instant: datetime) -> str:
    """ISO 8601 in UTC with a Z; milliseconds, and microseconds only where there are some."""
    utc = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    precision = "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
