"""What the page at `/` lives on: labels, peek, history, the live events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from bridge.app.admin.events import PERIOD_S, Broadcast
from bridge.app.admin.explaining import PEEK_BYTES_MAX
from bridge.domain.census import Census
from bridge.domain.errors import Retry
from bridge.domain.model import TriggerName, TriggerRef
from bridge.engine.desk import Counted, Desk
from tests.fakes.plans import a_plan, a_route
from tests.fakes.results import raw_result
from tests.unit.admin.office import Office, assert_problem, open_office
from tests.unit.engine.world import OWNER, World

EARLY = "2020-01-01T00:00:00Z"
ONE = "/api/v1/triggers/disputes"
NAME = TriggerName("disputes")


def upload(world: World, *probabilities: float) -> None:
    for probability in probabilities:
        world.upload_raw(raw_result(world.uploaded + 1, {"Urgent": probability}))


async def test_labels_say_what_a_threshold_would_let_through() -> None:
    world = World(a_plan(extra=(a_route("next", "Urgent", 0.9, shadow=True),)))
    upload(world, 0.2, 0.45, 0.62, 0.95)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        shown = (await office.http.get(f"{ONE}/labels")).json()
    assert (shown["owner"], shown["counted_here"], shown["results"], shown["counted"]) == (OWNER, True, 4, 4)
    live, shadow = shown["thresholds"]
    assert (live["route"], live["text"], live["min"], live["taken"]) == ("urgent", "Urgent", 0.5, 2)
    assert [place for place, count in enumerate(live["decided"]) if count] == [20, 45, 62, 95]
    assert (shadow["shadow"], shadow["taken"]) == (True, 1)


async def test_labels_come_in_pages() -> None:
    world = World(a_plan({f"r{place}": f"L{place}" for place in range(5)}))
    async with open_office(world) as office:
        first = (await office.http.get(f"{ONE}/labels", params={"limit": 3})).json()
        second = (await office.http.get(f"{ONE}/labels", params={"limit": 3, "after": first["next"]})).json()
        assert_problem(await office.http.get(f"{ONE}/labels", params={"after": "x"}), 422, "unknown_after")
    assert [one["route"] for one in first["thresholds"] + second["thresholds"]] == [f"r{place}" for place in range(5)]
    assert second["next"] is None


async def test_a_trigger_that_is_counted_elsewhere_shows_its_thresholds_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """D19."""
    world = World()
    async with open_office(world) as office:
        monkeypatch.setattr(office.supervisor, "census", lambda _: None)
        told = Counted(taken=Census(world.plan.rules, world.clock.now()).taken())
        monkeypatch.setattr(office.supervisor, "counted", lambda _: told)
        shown = (await office.http.get(f"{ONE}/labels")).json()
        assert (await office.http.get(f"{ONE}/peek")).json() == {"waiting": [], "recent": []}
    assert (shown["counted_here"], shown["counted_by"], shown["as_of"], shown["counted"]) == (False, "", None, 0)
    assert [one["text"] for one in shown["thresholds"]] == ["Urgent"]


async def test_peek_shows_what_waits_and_what_passed_and_moves_nothing() -> None:
    world = World()
    upload(world, 0.6)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        await office.http.post(f"{ONE}/pause")
        upload(world, 0.7, 0.8)
        shown = (await office.http.get(f"{ONE}/peek", params={"limit": 1})).json()
        explained = await office.http.post(f"{ONE}/explain", json={"result": shown["waiting"][0]["result"]})
        assert world.pending == 2
    assert [one["sequence_id"] for one in shown["waiting"]] == ["seq-2"]
    assert [one["sequence_id"] for one in shown["recent"]] == ["seq-1"]
    assert explained.status_code == 200


async def test_peek_gives_the_platforms_own_bytes_and_names_what_it_leaves_out() -> None:
    """I10: into the answer, never into a line of the log."""
    world = World()
    odd = raw_result(1, {"Urgent": 0.9}, text="<script>alert(1)</script> \udfff").replace(
        b'"uid"', b'"big":1e999,"uid"'
    )
    async with open_office(world) as office:
        await office.http.post(f"{ONE}/pause")
        world.upload_raw(odd)
        world.upload_raw(b'{"sequence_id":"bad","comment":17}')
        world.upload_raw(raw_result(3, {}, text="x" * PEEK_BYTES_MAX))
        answer = await office.http.get(f"{ONE}/peek")
    assert odd in answer.content
    assert answer.headers["content-type"] == "application/json"
    assert [one["left_out"] for one in answer.json()["waiting"]] == ["", "no_comment", "too_large"]
    assert "script" not in json.dumps([fields for _, _, fields in world.lines.lines], default=str)


async def test_peek_says_what_keeps_it_from_looking() -> None:
    world = World()
    async with open_office(world) as office:
        world.source.go_down()
        assert_problem(await office.http.get(f"{ONE}/peek"), 503, "unreachable")
        assert_problem(await office.http.get("/api/v1/triggers/none/peek"), 404, "unknown_trigger")


async def test_only_two_peek_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with open_office(world) as office:
        gate = asyncio.Event()

        async def slow(*_: object) -> Any:
            await gate.wait()
            raise Retry("late", code="timeout")

        monkeypatch.setattr(world.source, "fetch", slow)
        waiting = [asyncio.create_task(office.http.get(f"{ONE}/peek")) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await office.http.get(f"{ONE}/peek")
        gate.set()
        await asyncio.gather(*waiting)
    assert_problem(refused, 429, "busy")
    assert refused.headers["retry-after"]


async def test_history_says_who_did_what_newest_first() -> None:
    world = World()
    world.upload(1)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY, "reason": "wrong rule"})
        await world.clock.sleep(60)
        await office.http.post(f"{ONE}/pause", json={"reason": "month end"})
        shown = (await office.http.get(f"{ONE}/history")).json()
        paged = (await office.http.get(f"{ONE}/history", params={"limit": 1})).json()
    assert [(one["kind"], one["by"], one["reason"]) for one in shown["commands"]] == [
        ("pause", "operate", "month end"),
        ("reset", "operate", "wrong rule"),
    ]
    assert "done, generation 1" in shown["commands"][1]["detail"]
    assert paged["next"] == paged["commands"][0]["id"]


async def test_resets_come_in_pages() -> None:
    world = World()
    async with open_office(world) as office:
        for _ in range(3):
            await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY})
            await world.clock.sleep(60)
        first = (await office.http.get(f"{ONE}/resets", params={"limit": 2})).json()
        second = (await office.http.get(f"{ONE}/resets", params={"limit": 2, "after": first["next"]})).json()
    assert [one["generation"] for one in first["resets"] + second["resets"]] == [3, 2, 1]
    assert second["next"] is None


async def read_events(world: World, office: Office, count: int, leaving: asyncio.Event) -> list[tuple[str, Any]]:
    broadcast = Broadcast(office.supervisor, world.clock, leaving)
    return [parsed(event) async for event, _ in _zip(broadcast.stream(), range(count))]


async def _zip(events: Any, numbers: Sequence[int]) -> Any:
    for number in numbers:
        try:
            yield await anext(events), number
        except StopAsyncIteration:
            return


def parsed(event: str) -> tuple[str, Any]:
    kind, data, *rest = event.split("\n")
    assert rest == ["", ""]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_events_give_everything_once_and_then_what_changed() -> None:
    plans = [a_plan(name=name, ref=TriggerRef(project="o", dataset="d", trigger=name)) for name in ("a", "b")]
    world = World(plans[0])
    world.source.make(plans[1].ref)
    async with open_office(world, plans) as office:
        await world.until(lambda: world.worker(office.supervisor).status.state.value == "idle")
        broadcast = Broadcast(office.supervisor, world.clock, asyncio.Event())
        events = broadcast.stream()
        kind, first = parsed(await anext(events))
        assert (kind, [row["name"] for row in first["triggers"]]) == ("snapshot", ["a", "b"])
        await office.http.post("/api/v1/triggers/a/pause", json={"reason": "month end"})
        kind, second = parsed(await anext(events))
        assert kind == "changes"
        rows = {row["name"]: row for row in second["triggers"]}
        assert (rows["a"]["state"], rows["a"]["reason"]) == ("paused", "paused by operate: month end")
        await office.supervisor.apply(plans[:1])
        await world.clock.sleep(PERIOD_S)
        assert parsed(await anext(events))[1]["gone"] == ["b"]


async def test_events_end_when_the_service_leaves() -> None:
    world = World()
    async with open_office(world) as office:
        leaving = asyncio.Event()
        asyncio.get_running_loop().call_soon(leaving.set)
        assert len(await read_events(world, office, 5, leaving)) == 1


async def test_events_say_when_there_is_no_answer_yet() -> None:
    world = World()
    async with world.running() as supervisor:
        pass
    kind, data = parsed(await anext(Broadcast(supervisor, world.clock, asyncio.Event()).stream()))
    assert (kind, data["code"]) == ("trouble", "starting")


async def test_listeners_are_bounded_and_those_who_left_make_room() -> None:
    world = World()
    async with world.running() as supervisor:
        desk: Desk = supervisor
        broadcast = Broadcast(desk, world.clock, asyncio.Event(), clients_max=1)
        events = broadcast.stream()
        await anext(events)
        assert broadcast.is_full
        await events.aclose()
        assert not broadcast.is_full
