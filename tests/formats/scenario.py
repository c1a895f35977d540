"""What is kept outside the process (D17), written by the code of this release from values that never change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.adapters.kafka.control_format import command_record
from bridge.adapters.kafka.state_format import position_record, records_of
from bridge.adapters.kafka.status_format import counts_record, status_record
from bridge.adapters.redis_ledger.scripts import ring_of
from bridge.domain.commands import Command, Verb
from bridge.domain.counts import Counts, Tally
from bridge.domain.decide import decide
from bridge.domain.delivery import mark_key
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.position import Position
from bridge.domain.standing import Bookmark, Pause, Place, Reached, Reset, ResetPhase, Span, Standing
from bridge.domain.status import LastError, Report, State, Status
from tests.fakes.plans import REF, a_plan
from tests.fakes.results import a_batch, raw_result

HERE = Path(__file__).parent
NAME = TriggerName("disputes")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

DONE = Reset(
    id="a1",
    to_comment_created_at=NOON - timedelta(days=9),
    requested_at=NOON - timedelta(days=1),
    requested_by="operate",
    phase=ResetPhase.DONE,
    generation=Generation(1),
    replayed=40,
    finished_at=NOON - timedelta(hours=20),
)
ASKED = Reset(
    id="c9",
    to_comment_created_at=NOON - timedelta(days=3),
    requested_at=NOON,
    requested_by="alice",
    reason="a rule was wrong",
    allow_skip=True,
    until=NOON - timedelta(days=1),
    topic_prefix="replay.",
)
UNDER_WAY = replace(
    ASKED,
    id="b7",
    phase=ResetPhase.REPLAYING,
    generation=Generation(2),
    saved=Bookmark(batch_id=SequenceId("seq-90"), last=SequenceId("seq-88"), last_at=NOON - timedelta(minutes=1)),
    replay_until=NOON,
    replayed=700,
    replayed_from=NOON - timedelta(days=3),
    replayed_to=NOON - timedelta(days=2),
)
STANDING = Standing(
    generation=Generation(2),
    generation_reset_id="b7",
    pause=Pause(by="bob", at=NOON, reason="release"),
    resets=(DONE, UNDER_WAY),
)
SHARED_NAME = TriggerName("claims")
SHARED = Standing(
    generation=Generation(1),
    generation_reset_id="a1",
    resets=(DONE,),
    trigger="org1/collateral/claim",
    obeyed=Place(offset=41, at_ms=1_767_614_400_000),
    reached=Reached(
        trigger="org1/collateral/claim",
        generation=Generation(1),
        place=Bookmark(batch_id=SequenceId("seq-90"), last=SequenceId("seq-88"), last_at=NOON - timedelta(minutes=1)),
        high=NOON,
        firsts=(SequenceId("seq-70"), SequenceId("seq-80")),
        spans=(Span(first=NOON - timedelta(minutes=9), last=NOON - timedelta(minutes=5), until=NOON),),
        is_at_work=True,
    ),
)
"""Of a trigger that replicas share."""
COMMANDS = (
    Command(id="1", trigger=NAME, verb=Verb.PAUSE, by="bob", at=NOON, reason="release"),
    Command(id="2", trigger=NAME, verb=Verb.RESUME, by="bob", at=NOON),
    Command(id="3", trigger=NAME, verb=Verb.RESET, by="alice", at=NOON, reset=ASKED),
    Command(id="4", trigger=NAME, verb=Verb.CANCEL_RESET, by="bob", at=NOON, reset_id="c9"),
)
REPORTS = (
    Report(
        status=Status(
            name=NAME,
            state=State.BLOCKED,
            reason="the topic rpa.urgent does not exist",
            generation=Generation(2),
            position=SequenceId("seq-9"),
            next_attempt=NOON + timedelta(seconds=5),
            oldest_pending=NOON - timedelta(minutes=3),
            last_advance=NOON - timedelta(minutes=2),
            last_progress=NOON - timedelta(minutes=1),
            last_error=LastError(code="topic_missing", message="the topic rpa.urgent does not exist", at=NOON),
            failures_in_a_row=3,
            results=40,
            filtered=2,
            unmatched=5,
            skipped_duplicates=1,
            published={"urgent": 30},
            dead_letters={"record_too_large": 1},
            shadowed={"next": 4},
        ),
        owner="pod-1",
        at=NOON,
    ),
    Report(status=Status(name=TriggerName("fees")), owner="pod-2", at=NOON),
)
COUNTS = Counts(
    name=NAME,
    owner="pod-1",
    at=NOON,
    rules="8b1f6c4d2e0a9b7c5d3f1e2a4b6c8d0e",
    since=NOON - timedelta(hours=1),
    results=40,
    counted=39,
    left_out=1,
    tallies=(Tally(shown=(*[0] * 50, 30, *[0] * 49, 9), decided=(9, *[0] * 99, 30), taken=30),),
)
POSITION = Position(
    trigger=REF.identity,
    generation=Generation(2),
    first=SequenceId("seq-1"),
    last=SequenceId("seq-9"),
    batch_id=SequenceId("seq-10"),
    records={"urgent": 7, "unmatched": 2},
    earlier=(SequenceId("seq-0"),),
)


@dataclass(frozen=True)
class Kept:
    """A record on a topic. ASCII, so that a file shows it as it is."""

    key: str
    value: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.value)

    @classmethod
    def of(cls, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()) -> Kept:
        said = {name: content.decode("ascii") for name, content in headers}
        return cls((key or b"").decode("ascii"), (value or b"").decode("ascii"), said)


def state() -> list[Kept]:
    """The state topic: wish, generation and position of a trigger, a standing with nothing in it, a shared one."""
    untouched = records_of(TriggerName("fees"), Standing())
    shared = records_of(SHARED_NAME, SHARED, "pod-1")
    return [Kept.of(each.key, each.value) for each in (*records_of(NAME, STANDING), *untouched, position(), *shared)]


def position() -> Any:
    return position_record(NAME, POSITION)


def control() -> list[Kept]:
    """The control topic: a command of each kind."""
    return [Kept.of(each.key, each.value) for each in map(command_record, COMMANDS)]


def status() -> list[Kept]:
    """The status topic: an owner's word with all that can be in it, and with nothing; what it has counted."""
    return [Kept.of(each.key, each.value) for each in (*map(status_record, REPORTS), counts_record(COUNTS))]


def records() -> list[Kept]:
    """Output topics: a result on its route, one that no rule matches, dead letters with and without their bytes."""
    raws = [
        raw_result(1, {"Urgent": 0.9, "Trade > Settlement": 0.25}, thread_id="t1"),
        raw_result(2, {"Spam": 0.75}),
        b'{"sequence_id": "seq-3", "comment": 17}',
        b"\xff not JSON",
        raw_result(5, {"Urgent": 0.9}, text="x" * 2_000),
    ]
    plan = a_plan(record_bytes_max=2_000)
    decision = decide(a_batch(raws), plan, Generation(2), {}, TRACE)
    return [Kept.of(each.key, each.value, each.headers) for each in decision.deliveries]


def ledger() -> list[Kept]:
    """Redis: the keys of a trigger's sets, and one member."""
    member = mark_key(REF.identity, Generation(2), SequenceId("seq-1"), "urgent").hex()
    return [Kept(key.decode(), member, {}) for key in ring_of(REF)]


WRITTEN = {"state": state, "control": control, "status": status, "records": records, "ledger": ledger}


def spelled(kept: Iterable[Kept]) -> str:
    """As it stands in a file, a record a line."""
    lines = [json.dumps({"key": one.key, "value": one.value, "headers": dict(one.headers)}) for one in kept]
    return "".join(f"{line}\n" for line in lines)


def recorded(version: str, name: str) -> list[Kept]:
    """What a release wrote."""
    lines = (HERE / version / f"{name}.jsonl").read_text().splitlines()
    return [Kept(**json.loads(line)) for line in lines]


def versions() -> list[str]:
    """Of the releases that were recorded, oldest first."""
    found = [each.name for each in HERE.iterdir() if each.name[0].isdigit()]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])
