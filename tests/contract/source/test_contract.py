"""What every Source does: one suite, on the fake and on the client before the sandbox in both eras and spellings."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import Batch, SequenceId, TriggerRef
from tests.contract.source.worlds import World, names_of, settled_at

TEN = [f"{number:x}" for number in range(16, 26)]
FIVE = [f"{number:x}" for number in range(32, 37)]


async def drained(world: World, size: int) -> list[str]:
    """Everything from the position on, advancing as the engine does."""
    seen: list[str] = []
    while True:
        batch = await world.source.fetch(world.ref, size)
        if not batch.results and not batch.filtered:
            return seen
        seen += names_of(batch)
        await world.source.advance(world.ref, settled_at(batch.sequence_id))


async def order_of(world: World) -> list[str]:
    """The trigger's order; that of comments with one upload time is the platform's own."""
    return names_of(await world.source.fetch(world.ref, 1024))


async def test_an_empty_trigger_gives_an_empty_page_with_a_position(world: World) -> None:
    batch = await world.source.fetch(world.ref, 8)
    assert (list(batch.results), batch.filtered, batch.size_asked) == ([], 0, 8)
    assert batch.sequence_id
    assert batch.is_end is not False
    assert not batch.is_full


async def test_a_fetch_moves_nothing_and_gives_the_same_bytes_again(world: World) -> None:
    await world.upload(TEN)
    first = await world.source.fetch(world.ref, 4)
    again = await world.source.fetch(world.ref, 4)
    assert [result.raw for result in first.results] == [result.raw for result in again.results]
    assert first.sequence_id == again.sequence_id
    assert len(first.results) == 4


async def test_uploads_come_first_in_first_out(world: World) -> None:
    for name in TEN[:4]:
        await world.upload([name])
    assert await order_of(world) == TEN[:4]


@pytest.mark.parametrize("size", [1, 3, 10, 1024])
async def test_every_comment_comes_once_at_any_size(world: World, size: int) -> None:
    """Comments of one upload share their time, and a page may end between them (trap 25)."""
    await world.upload(TEN)
    await world.upload(FIVE)
    order = await order_of(world)
    assert sorted(order[:10]) == sorted(TEN)
    assert sorted(order[10:]) == sorted(FIVE)
    assert await drained(world, size) == order


async def test_another_size_gives_a_beginning_of_the_same(world: World) -> None:
    await world.upload(TEN)
    order = await order_of(world)
    for size in (1, 2, 7):
        assert names_of(await world.source.fetch(world.ref, size)) == order[:size]


async def test_the_position_may_be_that_of_any_single_result(world: World) -> None:
    await world.upload(TEN)
    batch = await world.source.fetch(world.ref, 1024)
    await world.source.advance(world.ref, settled_at(batch.results[3].sequence_id))
    assert await order_of(world) == names_of(batch)[4:]


async def test_what_is_uploaded_later_comes_after_the_position(world: World) -> None:
    await world.upload(TEN)
    assert sorted(await drained(world, 4)) == sorted(TEN)
    await world.upload(FIVE)
    assert sorted(await drained(world, 4)) == sorted(FIVE)


async def test_advancing_again_is_harmless(world: World) -> None:
    await world.upload(TEN)
    batch = await world.source.fetch(world.ref, 4)
    rest = (await order_of(world))[4:]
    for _ in range(2):
        await world.source.advance(world.ref, settled_at(batch.sequence_id))
        assert await order_of(world) == rest


async def test_advancing_past_an_empty_page_is_harmless(world: World) -> None:
    await world.upload(TEN)
    await drained(world, 10)
    batch = await world.source.fetch(world.ref, 8)
    assert list(batch.results) == []
    await world.source.advance(world.ref, settled_at(batch.sequence_id))
    await world.upload(FIVE)
    assert sorted(await order_of(world)) == sorted(FIVE)


async def test_trap_20_filtered_comments_count_and_must_be_advanced_past(world: World) -> None:
    await world.upload(TEN, keep=False)
    await world.upload(FIVE)
    batch = await world.source.fetch(world.ref, 8)
    assert (list(batch.results), batch.filtered) == ([], 8)
    again = await world.source.fetch(world.ref, 8)
    assert again.sequence_id == batch.sequence_id
    await world.source.advance(world.ref, settled_at(batch.sequence_id))
    batch = await world.source.fetch(world.ref, 8)
    assert (sorted(names_of(batch)), batch.filtered) == (sorted(FIVE), 2)


async def test_trap_21_the_position_of_a_batch_can_lie_past_its_last_result(world: World) -> None:
    await world.upload(FIVE)
    await world.upload(TEN, keep=False)
    batch = await world.source.fetch(world.ref, 1024)
    assert batch.filtered == 10
    assert batch.sequence_id != batch.results[-1].sequence_id
    await world.source.advance(world.ref, settled_at(batch.results[-1].sequence_id))
    assert (await world.source.fetch(world.ref, 1024)).filtered == 10
    await world.source.advance(world.ref, settled_at(batch.sequence_id))
    behind = await world.source.fetch(world.ref, 1024)
    assert (list(behind.results), behind.filtered) == ([], 0)


async def test_the_end_is_announced_rightly_or_not_at_all(world: World) -> None:
    await world.upload(TEN)
    assert (await world.source.fetch(world.ref, 4)).is_end is not True
    assert (await world.source.fetch(world.ref, 1024)).is_end is not False


async def test_trap_23_a_reset_goes_back_to_the_upload_time_that_instant_included(world: World) -> None:
    """The user's own time of the comments lies years before."""
    await world.upload(TEN)
    await world.upload(FIVE)
    order = await order_of(world)
    since = await world.uploaded_at(FIVE[0])
    await drained(world, 6)
    assert await world.source.reset(world.ref, since)
    assert await drained(world, 2) == order[10:]


async def test_a_reset_between_two_uploads_and_a_repeated_one_give_the_same(world: World) -> None:
    await world.upload(TEN)
    await world.upload(FIVE)
    order = await order_of(world)
    since = await world.uploaded_at(TEN[0]) + timedelta(milliseconds=1)
    there = await world.source.reset(world.ref, since)
    assert await world.source.reset(world.ref, since) == there
    assert await order_of(world) == order[10:]


async def test_a_reset_to_long_ago_gives_everything_and_one_ahead_skips_all(world: World) -> None:
    await world.upload(TEN)
    order = await order_of(world)
    await world.source.reset(world.ref, datetime(2040, 1, 1, tzinfo=UTC))
    assert await order_of(world) == []
    await world.source.reset(world.ref, datetime(1990, 1, 1, tzinfo=UTC))
    assert await order_of(world) == order


async def test_trap_26_a_late_advance_pulls_the_position_back(world: World) -> None:
    """No lease fences it: what D15 is for."""
    await world.upload(TEN)
    first = await world.source.fetch(world.ref, 4)
    rest = (await order_of(world))[4:]
    await drained(world, 4)
    await world.source.advance(world.ref, settled_at(first.sequence_id))
    assert await order_of(world) == rest


async def test_trap_26_two_readers_see_the_same_batch(world: World) -> None:
    await world.upload(TEN)
    batches: list[Batch] = await asyncio.gather(*(world.source.fetch(world.ref, 5) for _ in range(4)))
    assert len({batch.sequence_id for batch in batches}) == 1


async def test_a_trigger_that_is_not_there_blocks(world: World) -> None:
    nowhere = TriggerRef(project=world.ref.project, dataset=world.ref.dataset, trigger="nowhere")
    for asked in (
        world.source.fetch(nowhere, 1),
        world.source.advance(nowhere, settled_at(SequenceId("s"))),
        world.source.reset(nowhere, datetime(2020, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(Blocked) as caught:
            await asked
        assert caught.value.code == "trigger_missing"


async def test_a_position_that_is_none_blocks_and_moves_nothing(world: World) -> None:
    await world.upload(TEN)
    with pytest.raises(Blocked) as caught:
        await world.source.advance(world.ref, settled_at(SequenceId("no position at all")))
    assert caught.value.code == "refused"
    assert len(await order_of(world)) == 10


@pytest.mark.parametrize("size", [0, 1025])
async def test_a_size_beyond_the_limits_blocks(world: World, size: int) -> None:
    with pytest.raises(Blocked) as caught:
        await world.source.fetch(world.ref, size)
    assert caught.value.code == "refused"


@pytest.mark.parametrize("operation", ["fetch", "advance", "reset"])
async def test_a_failure_moves_nothing_and_heals(world: World, operation: str) -> None:
    await world.upload(TEN)
    batch = await world.source.fetch(world.ref, 4)
    await world.fail_next(operation)
    with pytest.raises(Retry):
        await asked(world, operation, batch)
    assert (await world.source.fetch(world.ref, 4)).sequence_id == batch.sequence_id
    await asked(world, operation, batch)


@pytest.mark.parametrize("operation", ["advance", "reset"])
async def test_a_lost_answer_is_an_error_though_it_was_done(world: World, operation: str) -> None:
    await world.upload(TEN)
    await world.upload(FIVE)
    batch = await world.source.fetch(world.ref, 4)
    await world.lose_answer(operation)
    with pytest.raises(Retry):
        await asked(world, operation, batch)
    assert (await world.source.fetch(world.ref, 4)).sequence_id != batch.sequence_id
    await asked(world, operation, batch)


async def test_a_page_cut_in_half_is_no_page_and_comes_again_whole(world: World) -> None:
    await world.upload(TEN)
    order = await order_of(world)
    await world.cut_page()
    with pytest.raises(Retry):
        await world.source.fetch(world.ref, 10)
    assert await order_of(world) == order


async def test_a_repeated_page_is_given_as_it_came(world: World) -> None:
    """It is the marks' and the position record's work to swallow it, not the Source's."""
    await world.upload(TEN)
    first = await world.source.fetch(world.ref, 4)
    await world.source.advance(world.ref, settled_at(first.sequence_id))
    await world.repeat_page()
    repeated = await world.source.fetch(world.ref, 4)
    assert (names_of(repeated), repeated.sequence_id) == (names_of(first), first.sequence_id)
    assert len(await order_of(world)) == 6


async def asked(world: World, operation: str, batch: Batch) -> None:
    """One more call of an operation; a reset goes where an advance would go."""
    match operation:
        case "fetch":
            await world.source.fetch(world.ref, 4)
        case "advance":
            await world.source.advance(world.ref, settled_at(batch.sequence_id))
        case _:
            await world.source.reset(world.ref, datetime(2040, 1, 1, tzinfo=UTC))
