"""Dead letters decided again: what is missing is sent, under the keys of the first time, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from bridge.adapters.platform.wire import decode_result
from bridge.domain.decide import decide
from bridge.domain.delivery import mark_key
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, Generation, SequenceId, TriggerRef, Undecodable
from bridge.domain.plan import DeliveryMode, TriggerPlan
from bridge.domain.redrive import Fate, RedriveReport, RedriveWish
from bridge.domain.topic_record import REDRIVEN_FROM
from bridge.engine.desk import ConflictError
from bridge.engine.redrive import RedriveNeighbours, Redriver
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF, a_plan
from tests.fakes.publisher import FakePublisher
from tests.fakes.results import SOURCE_ID, a_batch, raw_result
from tests.fakes.topic_reader import FakeTopicReader

PLAN = a_plan({"urgent": "Urgent", "fees": "Fees"})
URGENT, BOTH = {"Urgent": 0.9}, {"Urgent": 0.9, "Fees": 0.8}


@dataclass
class FakeRecovery:
    """The platform's comments by uid."""

    comments: dict[str, dict[str, object]] = field(default_factory=dict)
    error: Retry | None = None
    asked: list[set[str]] = field(default_factory=list)

    async def recover(self, trigger: TriggerRef, uids: Collection[str]) -> Mapping[str, bytes]:
        self.asked.append(set(uids))
        if self.error:
            raise self.error
        return {uid: json.dumps(self.comments[uid]).encode() for uid in uids if uid in self.comments}


@dataclass
class World:
    """Dead letters on a topic, and everything a redrive talks to; what is published is read back."""

    plan: TriggerPlan = PLAN
    log: FakeTopicReader = field(default_factory=FakeTopicReader)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    recovery: FakeRecovery = field(default_factory=FakeRecovery)
    landed: int = 0

    def park(self, *raws: bytes, generation: int = 0) -> None:
        """As results that an older release could not read."""
        results = [self._unreadable(raw) for raw in raws]
        batch = Batch(results=results, sequence_id=SequenceId("z"), filtered=0, is_end=None, size_asked=9)
        self.log.land(decide(batch, self.plan, Generation(generation), {}, "").deliveries)

    def _unreadable(self, raw: bytes) -> Undecodable:
        known = json.loads(raw)
        return Undecodable(raw=raw, reason="bad_labels", sequence_id=known["sequence_id"], uid=known["comment"]["uid"])

    def park_as_too_large(self, raw: bytes, route: str = "urgent") -> None:
        """One route's record; the others of the result went where they belong."""
        batch = a_batch([raw])
        refused = mark_key(REF.identity, Generation(0), batch.results[0].sequence_id, route)
        self.log.land(decide(batch, self.plan, Generation(0), {refused: "too_large"}, "").deliveries)

    async def redrive(self, **wish: object) -> RedriveReport:
        redriver = Redriver(
            RedriveNeighbours(
                log=self.log,
                publisher=self.publisher,
                ledger=self.ledger,
                recovery=self.recovery,
                decode=decode_result,
            )
        )
        report = await redriver.redrive(self.plan, RedriveWish(**wish))  # type: ignore[arg-type]
        self.log.land([appended.delivery for appended in self.publisher.log[self.landed :]])
        self.landed = len(self.publisher.log)
        return report

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Topic and uid, in the order of appending."""
        return [(each.delivery.topic, each.delivery.uid) for each in self.publisher.log]


def uid(number: int) -> str:
    return f"{SOURCE_ID}.{number:x}"


def fates(report: RedriveReport) -> list[Fate]:
    return [item.fate for item in report.items]


async def test_a_dead_letter_goes_where_the_rules_of_now_say() -> None:
    world = World()
    world.park(raw_result(1, BOTH), raw_result(2, {}), raw_result(3, URGENT), generation=4)
    report = await world.redrive()
    assert world.sent == [
        ("rpa.urgent", uid(1)),
        ("rpa.fees", uid(1)),
        ("rpa.unrouted", uid(2)),
        ("rpa.urgent", uid(3)),
    ]
    assert fates(report) == [Fate.REDRIVEN] * 3
    assert report.is_whole
    assert report.items[0].topics == ("rpa.urgent", "rpa.fees")
    first = world.publisher.log[0].delivery
    headers = dict(first.headers)
    assert headers[REDRIVEN_FROM] == b"rpa.dead/0/0"
    assert headers["ce_generation"] == b"4"
    assert first.mark == mark_key(REF.identity, Generation(4), SequenceId("seq-1"), "urgent")


async def test_again_it_sends_nothing() -> None:
    """I4: what is on the topics is known by its marks, with Redis empty."""
    world = World()
    world.park(raw_result(1, BOTH), raw_result(2, URGENT))
    await world.redrive()
    world.ledger = FakeLedger()
    report = await world.redrive()
    assert fates(report) == [Fate.ALREADY_THERE] * 2
    assert len(world.sent) == 3


async def test_a_lost_answer_is_settled_by_the_log() -> None:
    """I4, I5: unknown counts as not done, and the next redrive looks."""
    world = World()
    world.park(raw_result(1, URGENT))
    world.publisher.lose_answer(appended=True)
    first = await world.redrive()
    second = await world.redrive()
    assert (fates(first), fates(second)) == ([Fate.NOT_ACKED], [Fate.ALREADY_THERE])
    assert not first.is_whole
    assert len(world.sent) == 1


async def test_two_copies_of_one_dead_letter_are_one() -> None:
    world = World()
    world.park(raw_result(1, URGENT))
    world.park(raw_result(1, URGENT))
    assert fates(await world.redrive()) == [Fate.REDRIVEN, Fate.ALREADY_THERE]
    assert len(world.sent) == 1


async def test_one_that_fails_again_stays_where_it_is() -> None:
    world = World()
    world.log.land(
        decide(a_batch([raw_result(1, labels=None)[:-1] + b', "labels": 5}']), PLAN, Generation(0), {}, "").deliveries
    )
    report = await world.redrive()
    assert fates(report) == [Fate.STILL_DEAD]
    assert report.items[0].reason == "bad_labels"
    assert not world.sent


async def test_what_was_too_large_is_asked_of_the_platform_and_its_other_routes_are_not_sent_again() -> None:
    """Its record for `fees` was sent at the first time."""
    world = World()
    world.park_as_too_large(raw_result(1, BOTH))
    result = json.loads(raw_result(1, BOTH))
    del result["sequence_id"]
    world.recovery.comments[uid(1)] = result
    report = await world.redrive()
    assert fates(report) == [Fate.REDRIVEN]
    assert world.sent == [("rpa.urgent", uid(1))]
    assert world.recovery.asked == [{uid(1)}]
    mark = mark_key(REF.identity, Generation(0), SequenceId("seq-1"), "urgent")
    assert world.publisher.log[0].delivery.mark == mark


async def test_what_the_platform_no_longer_has_is_said() -> None:
    world = World()
    world.park_as_too_large(raw_result(1, URGENT))
    report = await world.redrive()
    assert [(item.fate, item.reason) for item in report.items] == [(Fate.NOT_RECOVERED, "gone_from_platform")]


async def test_a_platform_that_is_gone_in_the_middle_stops_it_with_a_report() -> None:
    world = World()
    for number in range(3):
        world.park(raw_result(number, URGENT))
    world.park_as_too_large(raw_result(9, URGENT))
    world.recovery.error = Retry("it is out", code="unreachable")
    report = await world.redrive()
    assert (fates(report), report.stopped_by, report.is_whole) == ([Fate.REDRIVEN] * 3, "unreachable", False)


async def test_before_anything_is_sent_an_outage_is_an_error() -> None:
    world = World()
    world.park(raw_result(1, URGENT))
    world.publisher.go_down()
    with pytest.raises(Retry):
        await world.redrive()


async def test_a_dry_run_sends_nothing_and_says_what_it_would() -> None:
    world = World()
    world.park(raw_result(1, BOTH))
    report = await world.redrive(dry_run=True)
    assert fates(report) == [Fate.WOULD_REDRIVE]
    assert report.items[0].topics == ("rpa.urgent", "rpa.fees")
    assert not world.sent


async def test_the_limit_counts_what_is_sent_so_that_the_next_run_goes_on() -> None:
    world = World()
    for number in range(5):
        world.park(raw_result(number, URGENT))
    first = await world.redrive(limit=2)
    second = await world.redrive(limit=2)
    third = await world.redrive(limit=2)
    assert [sum(fate is Fate.REDRIVEN for fate in fates(each)) for each in (first, second, third)] == [2, 2, 1]
    assert [each.is_whole for each in (first, second, third)] == [False, False, True]
    assert [number for _, number in world.sent] == [uid(number) for number in range(5)]


async def test_behind_what_was_not_acked_nothing_is_sent() -> None:
    """I9: a later one of its key must not overtake it."""
    world = World()
    for number in range(4):
        world.park(raw_result(number, URGENT))
    world.log.chunk = 1
    world.publisher.fail_next(None, "not_enough_replicas")
    report = await world.redrive()
    assert (fates(report), report.is_whole) == ([Fate.NOT_ACKED], False)
    assert not world.sent


async def test_what_was_acked_is_marked_and_a_ledger_that_is_out_is_told() -> None:
    """I2."""
    world = World()
    world.park(raw_result(1, URGENT), raw_result(2, URGENT))
    world.ledger.fail_next("mark")
    report = await world.redrive(limit=1)
    assert (fates(report), report.unmarked) == ([Fate.REDRIVEN], 1)
    await world.redrive()
    sent = [each.delivery.mark for each in world.publisher.log]
    assert await world.ledger.marked(REF, sent) == {sent[1]}


async def test_in_transactions_nobody_asks_for_marks() -> None:
    world = World(plan=replace(PLAN, delivery=DeliveryMode.EXACTLY_ONCE))
    world.park(raw_result(1, URGENT))
    assert fates(await world.redrive()) == [Fate.REDRIVEN]
    assert not world.ledger.calls


async def test_progress_is_told() -> None:
    world = World()
    for number in range(4):
        world.park(raw_result(number, URGENT))
    told: list[tuple[int, int]] = []
    neighbours = RedriveNeighbours(
        log=world.log,
        publisher=world.publisher,
        ledger=world.ledger,
        recovery=world.recovery,
        decode=decode_result,
    )
    await Redriver(neighbours).redrive(PLAN, RedriveWish(), lambda done, whole: told.append((done, whole)))
    assert told == [(3, 4), (4, 4)]


def test_the_report_has_no_contents() -> None:
    """I10."""
    report = RedriveReport(trigger="disputes")
    assert set(report.as_json()) == {"trigger", "whole", "stopped_by", "unmarked", "fates", "dead_letters"}


async def test_bytes_that_are_no_json_are_opened_too() -> None:
    """They stand as base64 in their dead letter."""
    world = World()
    batch: Sequence[Undecodable] = [
        Undecodable(
            raw=raw_result(1, URGENT), reason="not_utf8", sequence_id=SequenceId("x"), uid=uid(1), raw_is_json=False
        )
    ]
    page = Batch(results=batch, sequence_id=SequenceId("z"), filtered=0, is_end=None, size_asked=9)
    world.log.land(decide(page, PLAN, Generation(0), {}, "").deliveries)
    assert fates(await world.redrive()) == [Fate.REDRIVEN]


async def test_a_trigger_is_redriven_by_one_at_a_time() -> None:
    world = World()
    world.park(raw_result(1, URGENT))
    world.publisher.gate.clear()
    neighbours = RedriveNeighbours(
        log=world.log,
        publisher=world.publisher,
        ledger=world.ledger,
        recovery=world.recovery,
        decode=decode_result,
    )
    redriver = Redriver(neighbours)
    first = asyncio.create_task(redriver.redrive(PLAN, RedriveWish()))
    while not world.publisher.calls:
        await asyncio.sleep(0)
    with pytest.raises(ConflictError):
        await redriver.redrive(PLAN, RedriveWish())
    world.publisher.gate.set()
    assert fates(await first) == [Fate.REDRIVEN]
