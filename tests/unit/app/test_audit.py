"""What an audit reads, and which marks a repair writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.kafka.scan import Stretch
from bridge.adapters.kafka.state_scan import Evidence
from bridge.app.audit import generations_of, replays_of
from bridge.app.audit_platform import Reading
from bridge.app.repair import MARKED_AT_ONCE, Repair
from bridge.domain.errors import Retry
from bridge.domain.model import Generation
from bridge.domain.owed import Carried
from bridge.domain.plan import DeliveryMode
from bridge.domain.standing import Reset, Standing
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF, a_plan
from tests.fakes.topic_records import a_record

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
PLAN = a_plan()


def a_repair(ledger: FakeLedger, mode: DeliveryMode = DeliveryMode.AT_LEAST_ONCE) -> Repair:
    return Repair([replace(PLAN, delivery=mode)], {REF.identity: 1}, ledger, NOW, 3600.0)


async def test_a_repair_marks_what_a_running_bridge_would_have_marked() -> None:
    """I2: what is on the topics, of the current generation, as young as marks live."""
    ledger = FakeLedger()
    wanted = [a_record(1, generation=1, written_ms=NOW_MS), a_record(2, generation=1, written_ms=NOW_MS - 3_500_000)]
    others = [
        a_record(3, generation=0, written_ms=NOW_MS),
        a_record(4, generation=1, written_ms=NOW_MS - 3_700_000),
        a_record(5, generation=1, written_ms=NOW_MS, transactional=True),
        a_record(6, generation=1, written_ms=NOW_MS, identity="o/d/another"),
    ]
    repair = a_repair(ledger)
    await repair.take([*wanted, *others])
    await repair.finish()
    assert repair.marked == {"disputes": 2}
    marks = [record.mark for record in [*wanted, *others]]
    assert await ledger.marked(REF, marks) == {record.mark for record in wanted}


async def test_marks_are_written_in_calls_of_a_bounded_size() -> None:
    ledger = FakeLedger()
    repair = a_repair(ledger)
    for start in (0, 1500):
        await repair.take([a_record(n, generation=1, written_ms=NOW_MS) for n in range(start, start + 1500)])
    await repair.finish()
    sizes = [len(marks) for operation, _, marks in ledger.calls if operation == "mark"]
    assert (sum(sizes), max(sizes)) == (3000, MARKED_AT_ONCE)


async def test_transactions_have_no_marks_to_rebuild() -> None:
    repair = a_repair(FakeLedger(), DeliveryMode.EXACTLY_ONCE)
    await repair.take([a_record(1, generation=1, written_ms=NOW_MS)])
    await repair.finish()
    assert repair.marked == {}


async def test_without_the_ledger_a_repair_ends() -> None:
    ledger = FakeLedger()
    ledger.fail_next("mark")
    repair = a_repair(ledger)
    await repair.take([a_record(1, generation=1, written_ms=NOW_MS)])
    with pytest.raises(Retry):
        await repair.finish()


def test_replays_to_other_topics_are_read_too() -> None:
    reset = Reset(
        id="r",
        to_comment_created_at=NOW - timedelta(days=1),
        requested_at=NOW,
        requested_by="alice",
        topic_prefix="trial.",
        generation=Generation(3),
    )
    found = Evidence(standings={PLAN.name: Standing(generation=Generation(4), resets=(reset,))})
    replays = replays_of([PLAN], found)
    assert {key: plan.topics for key, plan in replays.items()} == {
        (REF.identity, 3): {f"trial.{topic}" for topic in PLAN.topics}
    }
    assert generations_of([PLAN], found) == {REF.identity: 4}


@pytest.mark.parametrize(
    ("log_start", "first_ms", "unread", "since"),
    [
        (0, 1_000, (), datetime.fromtimestamp(0, UTC)),
        (5, 1_000, (), datetime.fromtimestamp(61, UTC)),
        (5, None, (), None),
        (0, 1_000, ("rpa.dead",), None),
        (0, 1_000, ("rpa.another",), datetime.fromtimestamp(0, UTC)),
    ],
    ids=["whole", "shortened", "emptied", "missing", "not its topic"],
)
def test_since_when_the_topics_are_whole(
    log_start: int, first_ms: int | None, unread: tuple[str, ...], since: datetime | None
) -> None:
    """What retention took may have been the record of any older comment."""
    stretch = Stretch(topic="rpa.urgent", partition=0, start=log_start, end=9, log_start=log_start)
    firsts = {} if first_ms is None else {("rpa.urgent", 0): first_ms}
    reading = Reading(carried=Carried(()), stretches=[stretch], first_ms=firsts, unread=unread)
    assert reading.kept_since(PLAN) == since
