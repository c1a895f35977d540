"""What reading the topics back promises, on the fake and on a real broker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.domain.dead_letter import DeadLetterBody, opened
from bridge.domain.decide import decide
from bridge.domain.model import Generation, SequenceId
from bridge.domain.plan import KeyFrom, KeyKind, TriggerPlan
from bridge.domain.topic_record import REDRIVEN_FROM, Bounds, TopicRecord
from tests.contract.topic_reader.conftest import World
from tests.fakes.plans import a_plan, a_route
from tests.fakes.results import SOURCE_ID, a_batch, raw_result

NOW = datetime.now(UTC)
"""A broker deletes records that were written before its retention."""
BAD = b'{"sequence_id": "seq-9", "comment": {"uid": "' + SOURCE_ID.encode() + b'.9"}, "labels": 5}'


async def a_plan_on(world: World, kind: KeyKind = KeyKind.COMMENT_UID) -> TriggerPlan:
    """Two routes and dead letters, each topic its own."""
    extra = (a_route("both", "Urgent", topic=await world.make(3)),)
    plan = a_plan({}, extra=extra, unmatched=await world.make(2), dead_letter=await world.make(2))
    return replace(plan, key=KeyFrom(kind=kind))


def uid(number: int) -> str:
    return f"{SOURCE_ID}.{number:x}"


async def test_a_comment_is_found_with_its_topics_generations_and_times(world: World) -> None:
    plan = await a_plan_on(world)
    for generation, hours in ((0, 3), (1, 1)):
        results = [raw_result(number, {"Urgent": 0.5 + number % 2 / 10}) for number in range(6)]
        deliveries = decide(a_batch(results), plan, Generation(generation), {}, "").deliveries
        await world.land(deliveries, NOW - timedelta(hours=hours))
    found = await world.reader.deliveries(uid(3), [plan], Bounds())
    assert [(each.generation, each.route, each.uid, each.is_dead) for each in found.records] == [
        (1, "both", uid(3), False),
        (0, "both", uid(3), False),
    ]
    assert found.records[0].written_at > found.records[1].written_at
    assert found.records[0].trigger == plan.ref.identity
    assert found.is_whole
    assert not found.records[0].value


async def test_a_dead_letter_is_found_with_its_reason(world: World) -> None:
    """I8."""
    plan = await a_plan_on(world, KeyKind.THREAD_ID)
    deliveries = decide(a_batch([raw_result(1), BAD]), plan, Generation(0), {}, "").deliveries
    await world.land(deliveries, NOW)
    of_the_comment = await world.reader.deliveries(uid(9), [plan], Bounds())
    of_the_trigger = await world.reader.dead_letters(plan, Bounds())
    assert of_the_comment.records == of_the_trigger.records
    assert [(each.is_dead, each.dead_reason) for each in of_the_trigger.records] == [(True, "bad_labels")]


async def test_bounds_cut_the_oldest_and_say_so(world: World) -> None:
    plan = await a_plan_on(world)
    for hours in (30, 20, 10):
        deliveries = decide(a_batch([BAD]), plan, Generation(30 - hours), {}, "").deliveries
        await world.land(deliveries, NOW - timedelta(hours=hours))
    by_number = await world.reader.dead_letters(plan, Bounds(found_max=2))
    assert [each.generation for each in by_number.records] == [20, 10]
    assert not by_number.is_whole
    by_time = await world.reader.dead_letters(plan, Bounds(since=NOW - timedelta(hours=25)))
    assert [each.generation for each in by_time.records] == [20, 10]
    assert by_time.is_whole
    by_effort = await world.reader.dead_letters(plan, Bounds(records_max=2))
    assert 1 <= len(by_effort.records) <= 2
    assert not by_effort.is_whole


async def test_another_triggers_records_on_the_same_topics_are_not_ours(world: World) -> None:
    plan = await a_plan_on(world)
    other = replace(plan, ref=replace(plan.ref, trigger="another"))
    await world.land(decide(a_batch([BAD, raw_result(3)]), other, Generation(0), {}, "").deliveries, NOW)
    assert (await world.reader.dead_letters(plan, Bounds())).records == ()
    assert (await world.reader.deliveries(uid(3), [plan], Bounds())).records == ()
    assert len((await world.reader.deliveries(uid(3), [plan, other], Bounds())).records) == 1


async def test_a_trigger_without_a_topic_for_dead_letters_has_none(world: World) -> None:
    plan = replace(await a_plan_on(world), dead_letter=None)
    assert (await world.reader.dead_letters(plan, Bounds())).records == ()


async def test_a_redrive_reads_every_dead_letter_with_its_value_and_the_marks_of_its_comments(world: World) -> None:
    plan = await a_plan_on(world)
    good = [raw_result(number, {"Urgent": 0.9}) for number in (1, 2)]
    decision = decide(a_batch([*good, BAD]), plan, Generation(0), {}, "")
    for hours in (5, 1):
        await world.land(decision.deliveries, NOW - timedelta(hours=hours))
    since = NOW - timedelta(hours=3)
    assert [len(await letters(world, plan, when)) for when in (None, since)] == [2, 1]
    (letter,) = await letters(world, plan, since)
    assert opened(letter.value) == DeadLetterBody(sequence_id=SequenceId("seq-9"), uid=uid(9), raw=BAD)
    marks = await world.reader.marks_of(plan, {uid(1)}, since)
    assert marks == {each.mark for each in decision.deliveries if each.uid == uid(1)}


async def test_what_was_redriven_is_known_by_its_header(world: World) -> None:
    """It may have got its uid only when it could be read."""
    plan = await a_plan_on(world)
    (delivery,) = decide(a_batch([raw_result(1, {"Urgent": 0.9})]), plan, Generation(0), {}, "").deliveries
    names, texts = (*delivery.own_names, REDRIVEN_FROM), (*delivery.own_texts, b"rpa.dead/0/7")
    await world.land([replace(delivery, own_names=names, own_texts=texts)], NOW)
    assert await world.reader.marks_of(plan, set(), None) == {delivery.mark}


async def letters(world: World, plan: TriggerPlan, since: datetime | None) -> list[TopicRecord]:
    return [each async for some in world.reader.dead_letters_in_order(plan, since) for each in some]
