"""When the demo stops waiting, and what it says then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console
from rich.live import Live

from bridge.app.demo.admin import LastError, TriggerStanding
from bridge.app.demo.delivery import Follower
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.oracle import Place, Promised
from bridge.app.demo.running import Running
from bridge.app.demo.scenario import label_scenario
from bridge.app.demo.screen import LiveTable
from bridge.app.demo.story import Album
from bridge.app.demo.summary import Summary
from bridge.app.demo.verdict import Seen, Tally
from bridge.ports import Clock

SCENARIO = label_scenario([("A",)])
PLACES = [Place(f"s{number}", "a", "demo.a") for number in range(3)]
DEADLINE_S = 10.0


def standing(
    state: str = "idle", results: int = 3, reason: str = "", error: LastError | None = None
) -> TriggerStanding:
    return TriggerStanding(
        state=state,
        reason=reason,
        lag_seconds=0.0,
        results=results,
        skipped_duplicates=0,
        routes=[],
        last_error=error,
    )


def record(number: int, offset: int | None = None) -> Seen:
    at = number if offset is None else offset
    return Seen(topic="demo.a", partition=0, offset=at, sequence_id=f"s{number}", route="a", generation=0)


@dataclass
class World:
    """A demo of scripted looks: each gives what has come and how the trigger stands; the last stays. One a second."""

    looks: list[tuple[list[Seen], TriggerStanding]]
    at_the_end: list[Seen] = field(default_factory=list)
    blamed: Callable[[DemoFailed], None] = lambda _: None
    scenario: Any = SCENARIO
    looked: int = 0

    @property
    def promised(self) -> Sequence[Promised]:
        return [cast("Promised", None)] * 3

    @property
    def family(self) -> "World":
        return self

    reader = admin = family

    def check(self) -> None:
        """Nobody has died."""

    async def check_after(self, failure: DemoFailed) -> None:
        self.blamed(failure)

    async def poll(self, _: float) -> list[Seen]:
        self.looked += 1
        return self.looks[self.looked - 1][0] if self.looked <= len(self.looks) else []

    async def drain(self) -> list[Seen]:
        return self.at_the_end

    async def trigger(self, _: str) -> TriggerStanding:
        return self.looks[min(self.looked, len(self.looks)) - 1][1]

    def monotonic_s(self) -> float:
        return float(self.looked)


async def follow(world: World) -> tuple[str, Tally]:
    tally = Tally(frozenset(PLACES))
    table = LiveTable(Live(console=Console(file=StringIO())), SCENARIO)
    follower = Follower(cast("Running", world), tally, Album(), cast("Clock", world))
    delivered = await follower.deliver(table, DEADLINE_S, DEADLINE_S)
    return delivered.unfinished, tally


async def test_it_is_done_when_all_is_there_and_the_position_stands_behind_it() -> None:
    world = World([([record(0)], standing("running", 1)), ([record(1), record(2)], standing("idle", 3))])
    unfinished, tally = await follow(world)
    assert (unfinished, tally.missing, world.looked) == ("", set(), 2)


async def test_published_and_not_advanced_is_not_done() -> None:
    everything = [record(number) for number in range(3)]
    world = World([(everything, standing("running", 2)), ([], standing("idle", 3))])
    unfinished, _ = await follow(world)
    assert (unfinished, world.looked) == ("", 2)


async def test_a_record_that_never_comes_is_missed_at_the_deadline_and_named() -> None:
    world = World([([record(0), record(2)], standing("idle", 3))])
    unfinished, tally = await follow(world)
    assert "1 of 3 records had not arrived" in unfinished
    assert tally.missing == {PLACES[1]}


async def test_what_stands_on_the_topics_at_the_very_end_is_still_counted() -> None:
    world = World([([record(0), record(1), record(2)], standing())], at_the_end=[record(2, offset=9)])
    _, tally = await follow(world)
    assert tally.copies == 1


@pytest.mark.parametrize("state", ["failed", "stopped"])
async def test_a_trigger_that_has_ended_is_not_waited_for(state: str) -> None:
    world = World([([], standing(state, 0, error=LastError(code="x", message="no dead_letter topic")))])
    unfinished, _ = await follow(world)
    assert unfinished == f"the trigger is {state}: no dead_letter topic"
    assert world.looked == 1


async def test_a_blocked_trigger_is_waited_for_since_it_may_heal_and_its_reason_is_told() -> None:
    world = World([([], standing("blocked", 0, reason="the topic demo.a is missing"))])
    unfinished, _ = await follow(world)
    assert "it is blocked (the topic demo.a is missing)" in unfinished
    assert world.looked > DEADLINE_S


def summary(tally: Tally, unfinished: str = "") -> Summary:
    return Summary(
        verdict=tally.verdict(["demo.a"]),
        comments=3,
        annotated=3,
        labels=1,
        skipped_duplicates=0,
        shadowed={},
        broker="b",
        elapsed_s=1.0,
        delivery_s=1.0,
        directory="",
        unfinished=unfinished,
    )


def test_a_loss_and_a_stray_are_trouble_and_a_copy_is_told() -> None:
    tally = Tally(frozenset(PLACES))
    for seen in (record(0), record(0, offset=8), record(7), record(1)):
        tally.add(seen)
    found = summary(tally)
    assert "1 records are lost" in found.trouble
    assert "1 records are where they should not be" in found.trouble
    assert {key: found.as_json()[key] for key in ("lost", "misplaced", "copies")} == {
        "lost": 1,
        "misplaced": 1,
        "copies": 1,
    }


def test_a_whole_delivery_is_no_trouble() -> None:
    tally = Tally(frozenset(PLACES))
    for number in range(3):
        tally.add(record(number))
    assert summary(tally).trouble == ""
    assert "0 lost" in summary(tally).in_words()
    assert summary(tally, "too late").trouble == "too late"
