"""Which records a subscriber works on: once each, and never behind a later generation of their lane."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.consumer import Lane, Record, Verdict, Window, judge
from tests.unit.consumer.lanes import SOURCE, Partition, a_record

SOURCES = (SOURCE, "/org1/collateral/triggers/fees")


def test_a_copy_is_a_repeat_once_the_first_was_worked_on_and_not_before() -> None:
    """A failed one comes again from Kafka and must not be taken for its own copy."""
    window, first, copy = Window(), a_record("a", 0), a_record("a", 5)
    assert window.judge(first) is Verdict.FRESH
    assert window.judge(first) is Verdict.FRESH
    window.note(first)
    assert window.judge(first) is Verdict.REPEAT
    assert window.judge(copy) is Verdict.REPEAT


def test_what_stands_behind_a_later_generation_is_older() -> None:
    window = Window()
    window.note(a_record("a", 3, generation=2))
    assert window.judge(a_record("b", 4, generation=1)) is Verdict.OLDER_GENERATION
    assert window.judge(a_record("c", 4, generation=2)) is Verdict.FRESH
    assert window.judge(a_record("d", 4, generation=3)) is Verdict.FRESH


def test_a_dead_letter_that_was_redriven_is_late_on_purpose() -> None:
    """No later generation need have brought it: the reset may have begun behind it."""
    window = Window()
    window.note(a_record("a", 3, generation=2))
    late = a_record("b", 4, generation=1, redriven_from="rpa.dead/0/7")
    assert (late.redriven_from, window.judge(late)) == ("rpa.dead/0/7", Verdict.FRESH)
    window.note(late)
    assert window.judge(a_record("b", 5, generation=1, redriven_from="rpa.dead/0/7")) is Verdict.REPEAT


def test_what_stands_before_a_later_generation_is_worked_on_however_late_it_is_read() -> None:
    """Redelivered after a rebalance: the place on the log decides, not the order of reading."""
    window = Window()
    window.note(a_record("new", 7, generation=1))
    assert window.judge(a_record("old", 2, generation=0)) is Verdict.FRESH


@pytest.mark.parametrize("elsewhere", [{"partition": 1}, {"topic": "replay.t"}, {"source": SOURCES[1]}])
def test_generations_are_not_compared_across_lanes(elsewhere: dict[str, str]) -> None:
    """What waits on a slow partition may lie before the instant of the reset: no later generation brings it again."""
    window = Window()
    window.note(a_record("new", 0, generation=1))
    assert window.judge(a_record("old", 9, generation=0, **elsewhere)) is Verdict.FRESH  # type: ignore[arg-type]


def test_a_window_is_bounded_a_lane_and_a_quiet_lane_is_not_pushed_out_by_a_busy_one() -> None:
    window = Window(ids_per_lane_max=3)
    window.note(quiet := a_record("quiet", 0, source=SOURCES[1]))
    busy = [a_record(f"busy-{number}", number + 1) for number in range(50)]
    for record in busy:
        window.note(record)
    assert len(window) == 4
    assert window.judge(quiet) is Verdict.REPEAT
    assert [window.judge(record) for record in busy[-4:]] == [Verdict.FRESH] + [Verdict.REPEAT] * 3


def test_generations_without_end_do_not_grow_it_without_end() -> None:
    window = Window()
    for generation in range(200):
        window.note(a_record(f"r{generation}", generation, generation))
    lane = Lane.of(a_record("x", 0))
    assert window.later_since(lane, 198) == 199
    assert window.judge(a_record("late", 500, generation=3)) is Verdict.OLDER_GENERATION


def test_partitions_that_were_given_up_are_forgotten() -> None:
    window = Window()
    window.note(a_record("a", 0, partition=0))
    window.note(a_record("a", 0, partition=1))
    window.forget([("t", 1), ("other", 0)])
    assert window.judge(a_record("a", 0, partition=0)) is Verdict.REPEAT
    assert window.judge(a_record("a", 0, partition=1)) is Verdict.FRESH


def test_a_window_that_remembers_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        Window(0)


def test_a_memory_of_ones_own_can_stand_in_for_the_window() -> None:
    class Table:
        """As a database would."""

        rows = frozenset({(SOURCE, "a")})

        def has(self, lane: Lane, record_id: str) -> bool:
            return (lane.source, record_id) in self.rows

        def later_since(self, lane: Lane, generation: int) -> int | None:
            return None

    assert judge(Table(), a_record("a", 0)) is Verdict.REPEAT
    assert judge(Table(), a_record("b", 0)) is Verdict.FRESH


@st.composite
def logs(draw: st.DrawFn) -> list[Partition]:
    """Two partitions over which two triggers write batches, repeat them, reset, and have old copies arrive late."""
    partitions = [Partition(0), Partition(1)]
    generations = dict.fromkeys(SOURCES, 0)
    written: list[tuple[Partition, str, int, str]] = []
    for step in range(draw(st.integers(1, 25))):
        source = draw(st.sampled_from(SOURCES))
        act = draw(st.sampled_from(["batch", "batch", "batch", "again", "reset", "late"]))
        if act == "reset":
            generations[source] += 1
        elif act == "batch":
            generation = generations[source]
            batch = [
                (draw(st.sampled_from(partitions)), f"{source}-{step}-{number}-g{generation}", generation, source)
                for number in range(draw(st.integers(1, 4)))
            ]
            written += batch
            for partition, record_id, _, _ in batch:
                partition.append(record_id, generation, source)
        elif written and act == "again":
            for partition, record_id, generation, of in written[-draw(st.integers(1, 4)) :]:
                if generation == generations[of]:
                    partition.append(record_id, generation, of)
        elif written:
            partition, record_id, generation, of = draw(st.sampled_from(written))
            partition.append(record_id, generation, of)
    return partitions


class Subscriber:
    """Reads partitions in any interleaving; a handler may fail, and a rebalance goes back to what was committed."""

    def __init__(self, partitions: Sequence[Partition], dice: random.Random) -> None:
        self.partitions = partitions
        self.dice = dice
        self.window = Window()
        self.at = [0] * len(partitions)
        self.committed = [0] * len(partitions)
        self.done: list[Record] = []

    def run(self) -> None:
        while waiting := [each for each in self.partitions if self.at[each.number] < len(each.records)]:
            partition = self.dice.choice(waiting)
            self._read(partition.number, partition.records[self.at[partition.number]])
            if self.dice.random() < 0.1:
                self.at = [max(0, at - self.dice.randrange(4)) for at in self.committed]

    def _read(self, number: int, record: Record) -> None:
        if self.window.judge(record) is Verdict.FRESH:
            if self.dice.random() < 0.2:
                return  # the handler failed: the same record is read again
            self.done.append(record)
            self.window.note(record)
        self.at[number] += 1
        self.committed[number] = max(self.committed[number], self.at[number])


def behind_a_later_one(record: Record, partition: Partition) -> bool:
    before = partition.records[: record.offset]
    return any(each.source == record.source and each.generation > record.generation for each in before)


@settings(max_examples=150, deadline=None)
@given(logs(), st.integers(0, 2**32))
def test_everything_is_worked_on_once_in_any_interleaving(partitions: list[Partition], seed: int) -> None:
    subscriber = Subscriber(partitions, random.Random(seed))
    subscriber.run()
    worked = Counter((record.partition, record.id) for record in subscriber.done)
    assert all(count == 1 for count in worked.values()), "no copy is worked on twice"
    wanted = {
        (partition.number, record.id)
        for partition in partitions
        for record in partition.records
        if not behind_a_later_one(record, partition)
    }
    assert wanted <= worked.keys(), "nothing that stands before a later generation is left out"


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 2**32))
def test_a_lane_read_in_order_never_goes_back_in_generation(partitions: list[Partition], seed: int) -> None:
    window, dice, newest = Window(), random.Random(seed), dict[Lane, int]()
    unread = {partition.number: list(partition.records) for partition in partitions}
    while any(unread.values()):
        record = unread[dice.choice([number for number, left in unread.items() if left])].pop(0)
        if window.judge(record) is Verdict.FRESH:
            lane = Lane.of(record)
            assert record.generation >= newest.get(lane, 0)
            newest[lane] = record.generation
            window.note(record)
