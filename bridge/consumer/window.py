"""The memory of one subscriber process: bounded, and gone with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.consumer.judging import Lane, Verdict, judge
from bridge.consumer.record import Record

IDS_PER_LANE_MAX = 10_000
"""A trigger sends its last batch again, of 1,024 results at most, so a copy stands few batches behind at worst."""

GENERATIONS_MAX = 16


@dataclass(slots=True)
class _Memory:
    """`ids` oldest first; `first_offsets` the lowest offset seen of each generation."""

    ids: dict[str, None] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)


class Window:
    """The last ids of each lane, and where its generations begin. Not to be shared between threads.

    It catches every repeat that bridge makes while this process lives and keeps its partitions. A restart or a
    rebalance forgets: where the same work twice does harm, note the id in the transaction that does the work.
    """

    def __init__(self, ids_per_lane_max: int = IDS_PER_LANE_MAX) -> None:
        if ids_per_lane_max < 1:
            raise ValueError("a window remembers one id a lane at least")
        self._ids_max = ids_per_lane_max
        self._lanes: dict[Lane, _Memory] = {}

    def has(self, lane: Lane, record_id: str) -> bool:
        """As `Known` says, within the window."""
        memory = self._lanes.get(lane)
        return memory is not None and record_id in memory.ids

    def later_since(self, lane: Lane, generation: int) -> int | None:
        """As `Known` says."""
        memory = self._lanes.get(lane)
        if memory is None:
            return None
        return min((offset for later, offset in memory.first_offsets.items() if later > generation), default=None)

    def judge(self, record: Record) -> Verdict:
        """Whether to work on it; changes nothing."""
        return judge(self, record)

    def note(self, record: Record) -> None:
        """It was worked on."""
        memory = self._lanes.setdefault(Lane.of(record), _Memory())
        memory.ids[record.id] = None
        if len(memory.ids) > self._ids_max:
            del memory.ids[next(iter(memory.ids))]
        known = memory.first_offsets.get(record.generation, record.offset)
        memory.first_offsets[record.generation] = min(known, record.offset)
        if len(memory.first_offsets) > GENERATIONS_MAX:
            del memory.first_offsets[min(memory.first_offsets)]

    def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Of partitions that were given up, or that are read again from the beginning on purpose."""
        gone = set(partitions)
        self._lanes = {lane: memory for lane, memory in self._lanes.items() if (lane.topic, lane.partition) not in gone}

    def __len__(self) -> int:
        """How many ids are remembered."""
        return sum(len(memory.ids) for memory in self._lanes.values())
