"""The code's own pure functions, over the few values a model has: small numbers for results, positions and standings.

Results are 0, 1, 2 ...; the platform's position is how many of them lie behind it. A page is (start, end).
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.errors import Blocked
from bridge.domain.model import Batch, Generation, SequenceId
from bridge.domain.position import Position, committed_part, in_force, position_after
from bridge.domain.replay import Step, held_at, in_phase, next_step, released, replayed
from bridge.domain.settle import Settled, settle
from bridge.domain.standing import Reset, ResetPhase, Standing
from tests.fakes.plans import REF
from tests.fakes.results import a_batch, raw_result

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PAST = datetime(2026, 1, 4, 9, 0, tzinfo=UTC)
NOTHING = 0
"""The number of no position."""

Page = tuple[int, int]

_standings: list[Standing] = []
_standing_numbers: dict[Standing, int] = {}
_positions: list[Position | None] = [None]
_position_numbers: dict[object, int] = {}


# Standings


def number_of(standing: Standing) -> int:
    """The same one for equal standings."""
    number = _standing_numbers.get(standing)
    if number is None:
        number = _standing_numbers[standing] = len(_standings)
        _standings.append(standing)
    return number


FIRST = number_of(Standing())


def standing(number: int) -> Standing:
    return _standings[number]


@functools.cache
def generation(number: int) -> int:
    return _standings[number].generation


@functools.cache
def step(number: int) -> Step:
    """What the owner does next about its reset."""
    return next_step(_standings[number])


@functools.cache
def phase(number: int) -> ResetPhase | None:
    """Of the reset under way."""
    reset = _standings[number].open_reset
    return reset.phase if reset else None


@functools.cache
def asked(number: int) -> int:
    """With an operator's wish written down."""
    resets = len(_standings[number].resets)
    wish = Reset(id=f"r{resets + 1}", to_comment_created_at=PAST, requested_at=NOW, requested_by="operate")
    return number_of(_standings[number].with_reset(wish))


@functools.cache
def moved(number: int, to: ResetPhase) -> int:
    return number_of(in_phase(_standings[number], to))


@functools.cache
def holding(number: int) -> int:
    """No pass runs any more. Where the trigger stands is of no use to a replay without an end."""
    return number_of(held_at(_standings[number], None))


@functools.cache
def let_go(number: int) -> int:
    """After the platform has reset."""
    return number_of(released(_standings[number], NOW))


@functools.cache
def caught_up(number: int) -> int:
    """After the last batch of a replay."""
    return number_of(replayed(_standings[number], batch((0, 0)), NOW))


# Pages and positions


@functools.cache
def batch(page: Page) -> Batch:
    """As the platform gives it; an empty one is the end."""
    start, end = page
    raws = [raw_result(place) for place in range(start, end)]
    return a_batch(raws, size_asked=end - start, last=f"seq-{end - 1}")


def _place(sequence_id: SequenceId) -> int:
    return int(sequence_id.removeprefix("seq-")) + 1


def _position_number(position: Position) -> int:
    key = (position.generation, position.first, position.last, position.batch_id, position.earlier)
    if key not in _position_numbers:
        _position_numbers[key] = len(_positions)
        _positions.append(position)
    return _position_numbers[key]


def position(number: int) -> Position | None:
    return _positions[number]


@functools.cache
def recorded_after(page: Page, generation_: int, before: int) -> int:
    """The position record of the transaction with that page."""
    return _position_number(position_after(batch(page), (), REF, Generation(generation_), _positions[before]))


@functools.cache
def taken_over(recorded: int, generation_: int) -> int | None:
    """What a take-over learns from the log; None where it has to refuse."""
    try:
        found = in_force(_positions[recorded], REF, Generation(generation_))
    except Blocked:
        return None
    return NOTHING if found is None else recorded


@functools.cache
def committed_upto(page: Page, known: int) -> int | None:
    """Where the part of a page ends that is on the topics already; None for a fresh page."""
    part = committed_part(batch(page), _positions[known])
    return None if part is None else _place(part.sequence_id)


# Receipts


@functools.cache
def _delivery(generation_: int, place: int) -> Delivery:
    return Delivery(
        mark=MarkKey(f"{generation_}/{place}".encode()),
        topic="rpa.urgent",
        route="urgent",
        key=b"t1",
        front=b"",
        rest=b"",
        shared_headers=(),
        own_names=(),
        own_texts=(),
        sequence_id=SequenceId(f"seq-{place}"),
        uid=f"{place}",
    )


@functools.cache
def verdict(page: Page, generation_: int, done: frozenset[int], acked: int) -> tuple[bool, frozenset[int]]:
    """Whether the batch is settled and which of it may be marked, when the first `acked` sent ones were acked."""
    deliveries = [_delivery(generation_, place) for place in range(*page)]
    to_send = [place for place in range(*page) if place not in done]
    receipts = [
        Receipt(
            mark=_delivery(generation_, place).mark,
            outcome=Outcome.ACKED if at < acked else Outcome.UNKNOWN,
            topic="rpa.urgent",
            partition=0,
        )
        for at, place in enumerate(to_send)
    ]
    judged = settle(batch(page), deliveries, {_delivery(generation_, place).mark for place in done}, receipts)
    return isinstance(judged, Settled), frozenset(int(mark.split(b"/")[1]) for mark in judged.marks)
