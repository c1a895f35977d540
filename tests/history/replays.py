"""What a run with replays of every kind owes, and where in the platform's log its generations begin.

The platform's log does not know generations. Each replay is told by the instant it was reset to, which a run must use
once only, and its way back by the place the trigger had before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.sandbox.positions import decode_position
from tests.history.collect import Line, RoutesOf, instant_of, platform_event
from tests.history.events import Advanced, Event, Expectation, Expected, ResetDone


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One reset that reached the platform. `generation` is None where none was raised for it.

    `returns`: the trigger went back to where it was, into the next generation where one was raised. `is_whole`: it came
    to its end.
    """

    to: datetime
    generation: int | None
    until: datetime | None = None
    topic_prefix: str = ""
    returns: bool = False
    is_whole: bool = False


@dataclass(slots=True)
class Reading:
    """The platform's log, read once in its order. `homes` are the places that were returned to, by generation."""

    replays: Sequence[Replay]
    homes: dict[int, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    _at: Replay | None = None
    _home: str = ""

    def read(self, lines: Iterable[Line]) -> Reading:
        by_ms = {_ms(replay.to): replay for replay in self.replays}
        for line in lines:
            event = platform_event(line, 0)
            if isinstance(event, ResetDone):
                self._reset(line, by_ms[decode_position(str(line["sequence_id"])).ms])
            elif isinstance(event, Advanced) and self._is_return(event):
                self._returned(event)
            elif event is not None:
                self.events.append(event)
        return self

    def _reset(self, line: Line, replay: Replay) -> None:
        if self._at is not replay:
            self._at, self._home = replay, str(line["from_sequence_id"])
        if replay.generation is not None:
            self._begins(float(line["at_ms"]), str(line["trigger"]), str(line["sequence_id"]), replay.generation)

    def _is_return(self, event: Advanced) -> bool:
        return self._at is not None and self._at.returns and event.sequence_id == self._home

    def _returned(self, event: Advanced) -> None:
        if self._at is not None and self._at.generation is not None:
            self.homes[self._at.generation + 1] = event.sequence_id
            self._begins(event.at_ms, event.trigger, event.sequence_id, self._at.generation + 1)

    def _begins(self, at_ms: float, trigger: str, to: str, generation: int) -> None:
        self.events.append(ResetDone(at_ms=at_ms, trigger=trigger, to=to, generation=generation))


def expectation_with(
    trigger: str, results: Sequence[Line], routes_of: RoutesOf, reading: Reading, *, drained: bool = True
) -> Expectation:
    """From the platform's own list of all it would ever deliver, the replays, and where each returned to."""
    generations: dict[int, Sequence[Expected]] = {0: [_expected(line, routes_of(line)) for line in results]}
    for replay in reading.replays:
        if replay.generation is None:
            continue
        home = reading.homes.get(replay.generation + 1)
        generations[replay.generation] = [
            _expected(line, {name: replay.topic_prefix + topic for name, topic in routes_of(line).items()})
            for line in results
            if _is_within(line, replay, home)
        ]
        if home is not None:
            place = decode_position(home)
            behind = [line for line in results if decode_position(str(line["sequence_id"])) > place]
            generations[replay.generation + 1] = [_expected(line, routes_of(line)) for line in behind]
    raised = [(replay.generation, replay) for replay in reading.replays if replay.generation is not None]
    return Expectation(
        trigger=trigger,
        generations=generations,
        drained=drained,
        windows=frozenset(generation for generation, replay in raised if replay.returns),
        whole=frozenset(generation for generation, replay in raised if replay.returns and replay.is_whole),
    )


def _is_within(line: Line, replay: Replay, home: str | None) -> bool:
    """From its instant on, before its end, and no further than where the trigger stood if it went back there."""
    instant = instant_of(line)
    if _ms(instant) < _ms(replay.to) or (replay.until is not None and instant >= replay.until):
        return False
    return home is None or decode_position(str(line["sequence_id"])) <= decode_position(home)


def _expected(line: Line, routes: Mapping[str, str]) -> Expected:
    return Expected(sequence_id=line["sequence_id"], uid=line["uid"], routes=routes)


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
