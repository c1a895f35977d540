"""Builds the history of a run from what the platform logged and from what the topics hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from aiokafka.structs import ConsumerRecord

from tests.history.events import (
    Advanced,
    Event,
    Expectation,
    Expected,
    Fetched,
    LostMark,
    Published,
    ResetDone,
    UnknownReceipt,
)
from tests.history.passes import trace_of
from tests.neighbours.records import read_records

Line: TypeAlias = Mapping[str, Any]
RoutesOf: TypeAlias = Callable[[Line], Mapping[str, str]]

LOG_APPEND_TIME = 1


class BadEvidenceError(ValueError):
    """What is there cannot serve as a history; the text says why."""


# The platform's log


def read_log(http: httpx.Client, after: int = 0) -> list[Line]:
    """The sandbox's events numbered above `after`. Its memory is bounded and empty after a restart: a run with many
    events, or with a platform that is killed, has the log written to a file and reads that."""
    answer = http.get("/_sandbox/log", params={"after": after})
    answer.raise_for_status()
    body = answer.json()
    if body["first_kept"] > after + 1:
        raise BadEvidenceError(f"events {after + 1} to {body['first_kept'] - 1} have left the sandbox's memory")
    lines: list[Line] = body["events"]
    return lines


def read_log_file(path: Path) -> list[Line]:
    """The same from the file of `--log`, over restarts; a line cut by a kill is the last of its start."""
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def platform_events(lines: Iterable[Line]) -> list[Event]:
    """What took effect at the platform, whatever the client was told of it.

    Generations are counted: a reset to the same place with no advance since the last one is that one done again, since
    a controller that was killed in the middle does it again.
    """
    generations: dict[str, int] = {}
    last: dict[str, Line] = {}
    return list(filter(None, (_event(line, generations, last) for line in lines)))


def _event(line: Line, generations: dict[str, int], last: dict[str, Line]) -> Event | None:
    trigger = str(line["trigger"])
    if line["done"] and line["op"] in ("advance", "reset"):
        before = last.get(trigger)
        again = before is not None and (before["op"], before["sequence_id"]) == ("reset", line["sequence_id"])
        if line["op"] == "reset":
            generations[trigger] = generations.get(trigger, 0) + (not again)
        last[trigger] = line
    return platform_event(line, generations.get(trigger, 0))


def platform_event(line: Line, generation: int) -> Event | None:
    """One line of the platform's log; None for what took no effect. `generation` is the one that a reset begins."""
    trigger, at_ms = str(line["trigger"]), float(line["at_ms"])
    if not line["done"]:
        return None
    match line["op"]:
        case "fetch" | "results":
            return Fetched(
                at_ms=at_ms,
                trigger=trigger,
                from_sequence_id=line["from_sequence_id"],
                sequence_ids=tuple(line["served"]),
                batch_id=line["sequence_id"],
            )
        case "advance":
            return Advanced(at_ms=at_ms, trigger=trigger, sequence_id=line["sequence_id"])
        case "reset":
            return ResetDone(at_ms=at_ms, trigger=trigger, to=line["sequence_id"], generation=generation)
        case _:
            return None


def with_late_advances(events: Iterable[Event], windows_ms: Sequence[tuple[float, float]]) -> list[Event]:
    """Those that came while old requests may have arrived are said to be such."""
    return [
        replace(event, is_late=True)
        if isinstance(event, Advanced) and any(begin <= event.at_ms <= end for begin, end in windows_ms)
        else event
        for event in events
    ]


# The service's own log


def bridge_events(lines: Iterable[Line], triggers: Mapping[str, str]) -> list[Event]:
    """What the service says it did not learn; `triggers` are `project/dataset/trigger` by the service's own names.

    Only doubts are taken from it: a producer given up has receipts of any trigger in it, and a pass that was held by
    the ledger may have lost its marks.
    """
    found: list[Event] = []
    for line in lines:
        if line.get("event") == "producer_abandoned":
            found += [UnknownReceipt(at_ms=_at_ms(line), trigger=each) for each in triggers.values()]
        elif line.get("event") == "cycle_held" and str(line["code"]).startswith("ledger_"):
            found.append(LostMark(at_ms=_at_ms(line), trigger=triggers[line["trigger"]]))
    return found


def _at_ms(line: Line) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp() * 1000


# What was owed


def expectation_of(
    trigger: str, results: Sequence[Line], routes_of: RoutesOf, resets: Sequence[datetime] = (), *, drained: bool = True
) -> Expectation:
    """From the platform's own list of all it would ever deliver (`.../expected`) and an independent reading of the
    routes. `resets` are the instants the run was reset to, one for each generation after the first, in order."""
    owed = [
        (instant_of(line), Expected(sequence_id=line["sequence_id"], uid=line["uid"], routes=routes_of(line)))
        for line in results
    ]
    generations: dict[int, Sequence[Expected]] = {0: [expected for _, expected in owed]}
    for generation, instant in enumerate(resets, 1):
        generations[generation] = [expected for created_at, expected in owed if created_at >= instant]
    return Expectation(trigger=trigger, generations=generations, drained=drained)


def instant_of(line: Line) -> datetime:
    """When the comment was uploaded."""
    return datetime.fromisoformat(line["created_at"])


# The topics


async def read_topics(bootstrap_servers: str, topics: Sequence[str]) -> list[Published]:
    """Every record from the beginning to the end as it is now. The topics must have been made with
    `message.timestamp.type=LogAppendTime`: a time the sender chose proves nothing."""
    return [published(record) for record in await read_records(bootstrap_servers, topics)]


def published(record: ConsumerRecord[bytes, bytes]) -> Published:
    """Reads the headers as the published format has them, and the sequence id out of the value."""
    if record.timestamp_type != LOG_APPEND_TIME:
        raise BadEvidenceError(f"{record.topic} is not made with message.timestamp.type=LogAppendTime")
    headers = {name: value.decode() for name, value in record.headers}
    project, dataset, _, trigger = headers["ce_source"].strip("/").split("/")
    return Published(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        append_time_ms=float(record.timestamp),
        ce_id=headers["ce_id"],
        trigger=f"{project}/{dataset}/{trigger}",
        generation=int(headers["ce_generation"]),
        route=headers["ce_route"],
        sequence_id=json.loads(record.value or b"{}")["sequence_id"],
        uid=headers["ce_subject"],
        key=record.key,
        trace=trace_of(headers.get("traceparent", "")),
    )
