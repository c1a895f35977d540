"""What every Ledger does: one suite, on the fake and on Redis."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MarkKey
from bridge.domain.model import TriggerRef
from bridge.ports import Ledger
from tests.contract.ledger.conftest import MakeLedger
from tests.contract.ledger.words import DISPUTES, FEES, mark_of, marks_of
from tests.fakes.ledger import FakeLedger

# A whole batch of 1,024 results with several routes each: more than a script may unpack at once.
MANY = 9_000

EXAMPLE = itertools.count(1)
Step = tuple[str, TriggerRef, list[MarkKey]]


@pytest.fixture(params=["fake", "redis"])
def ledger(request: pytest.FixtureRequest, ledger_of: MakeLedger) -> Ledger:
    if request.param == "fake":
        return FakeLedger()
    return ledger_of(RedisSettings(url=request.getfixturevalue("redis_url")))


async def test_nothing_is_marked_at_first(ledger: Ledger) -> None:
    assert await ledger.marked(DISPUTES, marks_of(range(3))) == frozenset()


async def test_what_was_marked_is_marked_and_nothing_else(ledger: Ledger) -> None:
    await ledger.mark(DISPUTES, marks_of(range(0, 10, 2)))
    assert await ledger.marked(DISPUTES, marks_of(range(10))) == frozenset(marks_of(range(0, 10, 2)))


async def test_asking_for_nothing_and_marking_nothing_is_fine(ledger: Ledger) -> None:
    await ledger.mark(DISPUTES, [])
    assert await ledger.marked(DISPUTES, []) == frozenset()


async def test_asking_does_not_mark(ledger: Ledger) -> None:
    await ledger.marked(DISPUTES, [mark_of(1)])
    assert await ledger.marked(DISPUTES, [mark_of(1)]) == frozenset()


async def test_marking_again_is_harmless(ledger: Ledger) -> None:
    await ledger.mark(DISPUTES, [mark_of(1), mark_of(1)])
    await ledger.mark(DISPUTES, [mark_of(1)])
    assert await ledger.marked(DISPUTES, [mark_of(1), mark_of(1), mark_of(2)]) == {mark_of(1)}


async def test_triggers_do_not_share_marks(ledger: Ledger) -> None:
    await ledger.mark(DISPUTES, [mark_of(1)])
    assert await ledger.marked(FEES, [mark_of(1)]) == frozenset()


async def test_bytes_of_every_value_are_kept_apart(ledger: Ledger) -> None:
    odd = [MarkKey(bytes([value]) * 16) for value in range(256)]
    await ledger.mark(DISPUTES, odd[::3])
    assert await ledger.marked(DISPUTES, odd) == frozenset(odd[::3])


async def test_a_batch_with_many_routes_fits(ledger: Ledger) -> None:
    marks = marks_of(range(MANY))
    await ledger.mark(DISPUTES, marks[::2])
    assert await ledger.marked(DISPUTES, marks) == frozenset(marks[::2])


async def test_calls_at_once_do_not_disturb_each_other(ledger: Ledger) -> None:
    async def one(number: int) -> bool:
        await ledger.mark(DISPUTES, [mark_of(number)])
        asked = marks_of(range(number, number + 1000, 100))
        return mark_of(number) in await ledger.marked(DISPUTES, asked)

    assert all(await asyncio.gather(*(one(number) for number in range(50))))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["mark", "marked"]),
        st.sampled_from([DISPUTES, FEES]),
        st.lists(st.integers(0, 12).map(mark_of), max_size=6),
    ),
    max_size=20,
)


async def check_against_a_set(ledger: Ledger, steps: list[Step], salt: int) -> None:
    """`salt` names triggers of this example alone, so that one server serves all of them."""
    truth: set[tuple[TriggerRef, MarkKey]] = set()
    for what, plain, marks in steps:
        trigger = TriggerRef(project=plain.project, dataset=f"{plain.dataset}-{salt}", trigger=plain.trigger)
        if what == "mark":
            await ledger.mark(trigger, marks)
            truth |= {(trigger, mark) for mark in marks}
        else:
            assert await ledger.marked(trigger, marks) == {mark for mark in marks if (trigger, mark) in truth}


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_the_fake_is_a_set_under_any_interleaving(steps: list[Step]) -> None:
    asyncio.run(check_against_a_set(FakeLedger(), steps, 0))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_redis_is_a_set_under_any_interleaving(redis_url: str, steps: list[Step]) -> None:
    async def check() -> None:
        async with RedisLedger(RedisSettings(url=redis_url)) as ledger:
            await check_against_a_set(ledger, steps, next(EXAMPLE))

    asyncio.run(check())
