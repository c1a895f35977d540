"""One pass: what holds the position and what moves it (I1, I2, I4, I5, I8, I9)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Sequence

import pytest

from bridge.domain.delivery import Delivery, MarkKeys, Outcome
from bridge.domain.errors import Blocked, Retry, StopTrigger
from bridge.domain.model import Generation, SequenceId
from bridge.domain.plan import OnLedgerOutage
from tests.fakes.clock import settled
from tests.fakes.plans import REF, a_plan
from tests.unit.engine.world import Log, World, sequence

FAILED = (Outcome.FAILED, False)
UNKNOWN_BUT_THERE = (Outcome.UNKNOWN, True)
UNKNOWN_AND_LOST = (Outcome.UNKNOWN, False)


class Kept(list[Delivery]):
    """One that can be seen to be freed."""


async def test_a_batch_is_published_marked_and_advanced() -> None:
    world = World()
    world.upload(3)
    done = await world.cycle()
    assert world.log.on("rpa.urgent") == sequence(1, 3)
    assert world.pending == 0
    assert done.advanced
    assert world.ledger.holds(REF) == {record.mark for record in world.log.records}


async def test_records_are_prepared_while_the_ledger_is_asked() -> None:
    """So that the broker has them earlier; nothing is sent before the answer is in (I5)."""
    world = World()
    world.upload(3)
    world.ledger.answers_after_s = 1.0
    passing = asyncio.create_task(world.cycle())
    await world.clock.sleep(0.5)
    assert [delivery.sequence_id for delivery in world.log.prepared] == sequence(1, 3)
    assert world.log.sent == 0
    await passing
    assert world.log.records == world.log.prepared


async def test_what_is_marked_is_not_sent_as_it_was_prepared() -> None:
    """I5."""
    world = World()
    world.upload(3)
    marks = MarkKeys(REF.identity, Generation(0))
    await world.ledger.mark(REF, [marks.of(SequenceId(each), "urgent") for each in ("seq-1", "seq-3")])
    await world.cycle()
    assert [delivery.sequence_id for delivery in world.log.prepared] == sequence(1, 3)
    assert world.log.on("rpa.urgent") == ["seq-2"]
    assert world.pending == 0


async def test_a_pass_that_is_cancelled_asks_the_ledger_no_more() -> None:
    world = World()
    world.upload(3)
    world.ledger.answers_after_s = 60.0
    passing = asyncio.create_task(world.cycle())
    await world.clock.sleep(1.0)
    passing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await passing
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (world.log.sent, world.pending) == (0, 3)


async def test_a_pass_that_the_ledger_fails_keeps_nothing_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of Redis is many passes of many triggers, and the collector comes seldom."""
    world = World()
    world.upload(3)
    prepared: list[weakref.ref[Kept]] = []

    def prepare(_: Log, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        kept = Kept(deliveries)
        prepared.append(weakref.ref(kept))
        return kept

    monkeypatch.setattr(Log, "prepare", prepare)
    gc.disable()
    try:
        for _ in range(3):
            world.ledger.fail_next("marked")
            with contextlib.suppress(Retry):
                await world.cycle()
        await settled()
        assert [each() for each in prepared] == [None] * 3
    finally:
        gc.enable()


async def test_an_empty_page_advances_nothing() -> None:
    world = World()
    done = await world.cycle()
    assert not done.advanced
    assert [call[0] for call in world.source.calls] == ["fetch"]
    assert world.ledger.calls == []


async def test_an_empty_page_marks_what_an_outage_left_unmarked() -> None:
    """I5: somebody may have moved the trigger past what was acked and not marked, and may move it back."""
    world = World()
    mark = MarkKeys(REF.identity, Generation(0)).of(SequenceId("seq-1"), "urgent")
    world.memory.unmarked.add(mark)
    await world.cycle()
    assert world.ledger.holds(REF) == {mark}
    assert not world.memory.unmarked


async def test_a_page_of_filtered_comments_only_is_advanced_at_once() -> None:
    """Trap 20: otherwise the same filtered run is read for ever."""
    world = World()
    world.upload(5, filtered=True)
    assert (await world.cycle()).advanced
    assert world.pending == 0


async def test_results_without_a_route_still_carry_the_position() -> None:
    world = World(a_plan({}, unmatched=None))
    world.upload(2)
    assert (await world.cycle()).advanced
    assert (world.pending, world.log.records) == (0, [])


@pytest.mark.parametrize("fate", [FAILED, UNKNOWN_BUT_THERE, UNKNOWN_AND_LOST])
async def test_one_record_that_is_not_acked_holds_the_batch(fate: tuple[Outcome, bool]) -> None:
    """I1."""
    world = World()
    world.upload(3)
    world.log.fates[1] = fate
    with pytest.raises(Retry):
        await world.cycle()
    assert world.pending == 3
    assert ("advance", REF, "seq-3") not in world.source.calls
    await world.cycle()
    assert set(world.log.on("rpa.urgent")) == set(sequence(1, 3))
    assert world.pending == 0


async def test_after_a_failure_the_tail_of_the_partition_is_sent_again_behind_it() -> None:
    """I9, D4a: the acked third record is repeated, so that it stands behind the second."""
    world = World()
    world.upload(3)
    world.log.fates[1] = FAILED
    with pytest.raises(Retry):
        await world.cycle()
    await world.cycle()
    assert world.log.on("rpa.urgent") == ["seq-1", "seq-3", "seq-2", "seq-3"]


async def test_a_lost_answer_to_advance_repeats_nothing() -> None:
    world = World()
    world.upload(2)
    world.source.lose_answer("advance")
    with pytest.raises(Retry):
        await world.cycle()
    await world.cycle()
    assert world.log.on("rpa.urgent") == sequence(1, 2)


async def test_an_advance_that_failed_is_repeated_without_sending_again() -> None:
    world = World()
    world.upload(2)
    world.source.fail_next("advance", times=3)
    for _ in range(3):
        with pytest.raises(Retry):
            await world.cycle()
    await world.cycle()
    assert world.log.on("rpa.urgent") == sequence(1, 2)
    assert world.pending == 0


async def test_without_its_ledger_a_trigger_holds_and_sends_nothing() -> None:
    """D5: fails closed."""
    world = World()
    world.upload(1)
    world.ledger.go_down()
    with pytest.raises(Retry, match="ledger"):
        await world.cycle()
    assert world.log.records == []


async def test_a_ledger_that_goes_out_between_ack_and_mark_repeats_nothing_while_the_process_lives() -> None:
    world = World()
    world.upload(2)
    world.ledger.fail_next("mark")
    with pytest.raises(Retry):
        await world.cycle()
    assert world.pending == 2
    await world.cycle()
    assert world.log.on("rpa.urgent") == sequence(1, 2)
    assert world.pending == 0
    assert len(world.ledger.holds(REF)) == 2


async def test_by_choice_a_trigger_publishes_without_its_ledger() -> None:
    world = World(a_plan(on_ledger_outage=OnLedgerOutage.PUBLISH))
    world.upload(2)
    world.ledger.go_down()
    await world.cycle()
    assert (world.pending, world.log.on("rpa.urgent")) == (0, sequence(1, 2))
    assert len(world.lines.events("ledger_bypassed")) == 2


async def test_a_flushed_ledger_repeats_the_batch_that_was_not_advanced_and_no_other() -> None:
    """I5: a lost mark is a cause."""
    world = World(a_plan(batch_size=2))
    world.upload(4)
    await world.cycle()
    world.source.fail_next("advance")
    with pytest.raises(Retry):
        await world.cycle()
    world.ledger.flush()
    await world.cycle()
    assert world.log.on("rpa.urgent") == ["seq-1", "seq-2", "seq-3", "seq-4", "seq-3", "seq-4"]


async def test_a_blocked_broker_is_told_apart_from_one_that_may_work_again() -> None:
    world = World()
    world.upload(1)
    world.log.refusals.append(Blocked("topic rpa.urgent is missing", code="topic_missing"))
    with pytest.raises(Blocked):
        await world.cycle()
    assert world.pending == 1


async def test_what_the_broker_finds_too_large_becomes_a_dead_letter_in_the_next_pass() -> None:
    """I8."""
    world = World()
    world.upload(3)
    world.log.fates[1], world.log.codes[1] = FAILED, "too_large"
    with pytest.raises(Retry):
        await world.cycle()
    await world.cycle()
    assert world.log.on("rpa.dead") == ["seq-2"]
    assert world.pending == 0


async def test_too_large_a_share_of_dead_letters_stops_before_anything_is_sent() -> None:
    """I8."""
    world = World()
    world.upload(10)
    for number in range(30):
        world.upload_raw(b'{"sequence_id":"bad-%d","comment":17}' % number)
    with pytest.raises(StopTrigger) as stopped:
        await world.cycle()
    assert stopped.value.code == "too_many_dead_letters"
    assert world.log.records == []
    assert world.pending == 40


async def test_a_few_dead_letters_among_many_go_their_way() -> None:
    world = World()
    world.upload(30)
    world.upload_raw(b'{"sequence_id":"bad","comment":17}')
    await world.cycle()
    assert world.log.on("rpa.dead") == ["bad"]
    assert world.pending == 0


async def test_the_one_wide_line_of_a_batch_has_counts_and_no_text() -> None:
    """I10."""
    world = World()
    world.upload(2, text="a secret in the mail")
    await world.cycle()
    (line,) = world.lines.events("batch_advanced")
    assert (line["results"], line["published"], line["skipped_duplicates"]) == (2, 2, 0)
    assert "secret" not in str(world.lines.lines)


async def test_what_stands_behind_a_record_that_is_too_large_is_not_sent_again() -> None:
    """I5: it was acked, nothing will come before it any more, and no receipt was unknown."""
    world = World()
    world.upload(3)
    world.log.fates[0], world.log.codes[0] = FAILED, "too_large"
    with pytest.raises(Retry):
        await world.cycle()
    await world.cycle()
    assert (world.log.on("rpa.dead"), world.log.on("rpa.urgent")) == (["seq-1"], ["seq-2", "seq-3"])


async def test_published_without_a_ledger_and_not_advanced_is_remembered_all_the_same() -> None:
    """I5: a ledger outage and a lost advance together repeat nothing while the process lives."""
    world = World(a_plan(on_ledger_outage=OnLedgerOutage.PUBLISH))
    world.upload(3)
    world.ledger.go_down()
    world.source.fail_next("advance", times=2)
    for _ in range(2):
        with pytest.raises(Retry):
            await world.cycle()
    await world.cycle()
    assert (world.pending, world.log.on("rpa.urgent")) == (0, sequence(1, 3))
    assert not world.memory.unmarked


async def test_a_pass_that_is_cut_off_while_it_marks_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """I5: what was acked is remembered, however the marking ended."""
    world = World()
    world.upload(3)
    is_marking = asyncio.Event()

    async def hangs(*_: object) -> None:
        is_marking.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(world.ledger, "mark", hangs)
        cut = asyncio.create_task(world.cycle())
        await is_marking.wait()
        cut.cancel()
        await asyncio.wait({cut})
    assert cut.cancelled()
    assert world.pending == 3
    await world.cycle()
    assert (world.pending, world.log.on("rpa.urgent")) == (0, sequence(1, 3))
    assert not world.memory.unmarked


async def test_one_result_that_is_poisonous_on_two_routes_is_one_poisonous_result() -> None:
    """I8: the share is of results."""
    world = World(a_plan({"urgent": "Urgent", "again": "Urgent"}, share=0.5, record_bytes_max=1_500))
    world.upload(14)
    world.upload(8, text="x" * 2_000)
    await world.cycle()
    assert (world.pending, len(world.log.on("rpa.dead"))) == (0, 16)
