"""Compares what must be on the topics with what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bridge.app.demo.oracle import UNMATCHED, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A record as a consumer finds it. `why` are the labels it was routed by, with probability and wanted minimum.

    A dead letter says in `meant_for` which topic could not take the result, nothing where it could not be read at all.
    """

    topic: str
    partition: int
    offset: int
    sequence_id: str
    route: str
    generation: int
    dead: bool = False
    error: str = ""
    meant_for: str = ""
    subject: str = ""
    why: tuple[tuple[str, float, float], ...] = ()
    labels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`published` counts records by topic, dead letters apart.

    `lost` must be somewhere and are nowhere; `stray` are somewhere and should not be; `copies` are repeats of a record
    that is there.
    """

    published: dict[str, int]
    unmatched: int
    dead_letters: int
    lost: tuple[Place, ...]
    stray: tuple[Seen, ...]
    copies: int


@dataclass(slots=True)
class Tally:
    """Counts records as they come in. I4: no place may stay empty. I8: a dead letter stands for what it names."""

    expected: frozenset[Place]
    published: Counter[str] = field(default_factory=Counter)
    by_route: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    copies: int = 0
    stray: list[Seen] = field(default_factory=list)
    missing: set[Place] = field(init=False)
    _by_sequence: dict[str, list[Place]] = field(init=False, default_factory=dict)
    _offsets: set[tuple[str, int, int]] = field(init=False, default_factory=set)
    _filled: set[tuple[Place, int, bool]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.missing = set(self.expected)
        for place in self.expected:
            self._by_sequence.setdefault(place.sequence_id, []).append(place)

    def add(self, seen: Seen) -> None:
        """One record. The same offset again is the reader's own repeat and counts nothing."""
        if (seen.topic, seen.partition, seen.offset) in self._offsets:
            return
        self._offsets.add((seen.topic, seen.partition, seen.offset))
        if seen.dead:
            self.dead_letters += 1
        else:
            self.published[seen.topic] += 1
            self.by_route[seen.route] += 1
        filled = self._places_of(seen)
        if not filled:
            self.stray.append(seen)
        for place in filled:
            self._fill(place, seen)

    def _fill(self, place: Place, seen: Seen) -> None:
        # a generation is a replay, whose repeats are meant
        key = (place, seen.generation, seen.dead)
        self.copies += key in self._filled
        self._filled.add(key)
        self.missing.discard(place)

    def _places_of(self, seen: Seen) -> Sequence[Place]:
        known = self._by_sequence.get(seen.sequence_id, [])
        if seen.dead:
            return [place for place in known if seen.meant_for in ("", place.topic)]
        return [place for place in known if (place.route, place.topic) == (seen.route, seen.topic)]

    def verdict(self, topics: Iterable[str]) -> Verdict:
        """Of what has come so far; `topics` are listed even where nothing landed."""
        return Verdict(
            published={topic: self.published[topic] for topic in topics},
            unmatched=self.by_route[UNMATCHED],
            dead_letters=self.dead_letters,
            lost=tuple(sorted(self.missing)),
            stray=tuple(self.stray),
            copies=self.copies,
        )


def compare(expected: Iterable[Place], seen: Iterable[Seen], topics: Iterable[str]) -> Verdict:
    """All at once."""
    tally = Tally(frozenset(expected))
    for record in seen:
        tally.add(record)
    return tally.verdict(topics)
