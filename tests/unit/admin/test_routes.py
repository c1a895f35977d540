"""Every route of the admin API: what it answers, and what it makes the engine do."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import SequenceId, TriggerName, TriggerRef
from bridge.domain.standing import ResetPhase
from tests.fakes.plans import a_plan, a_route
from tests.fakes.results import raw_result
from tests.unit.admin.office import admin_of, assert_problem, client_of, open_office
from tests.unit.engine.world import OWNER, World, sequence

EARLY = "2020-01-01T00:00:00Z"
ONE = "/api/v1/triggers/disputes"


def three_plans() -> list[tuple[str, TriggerRef]]:
    return [(name, TriggerRef(project="org1", dataset="collateral", trigger=name)) for name in ("c", "a", "b")]


async def test_a_trigger_is_shown_with_what_it_did_and_where_it_stands() -> None:
    world = World(a_plan(extra=(a_route("next", "Urgent", shadow=True),)))
    world.upload(3)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        shown = (await office.http.get(ONE)).json()
    assert (shown["name"], shown["project"], shown["dataset"], shown["trigger"]) == (
        "disputes",
        "org1",
        "collateral",
        "dispute",
    )
    assert (shown["state"], shown["generation"], shown["position"], shown["results"]) == ("idle", 0, "seq-3", 3)
    assert {route["name"]: route["published"] for route in shown["routes"]} == {"urgent": 3, "next": 3, "unmatched": 0}
    assert shown["owner"] == OWNER
    assert shown["next_attempt"]


async def test_a_trigger_in_trouble_is_shown_with_the_reason_and_the_next_attempt() -> None:
    world = World()
    world.upload(1)
    world.source.go_down(Blocked("fetch: the platform does not accept the token", code="unauthorized"))
    async with open_office(world) as office:
        await world.until(lambda: world.worker(office.supervisor).status.failures_in_a_row > 0)
        shown = (await office.http.get(ONE)).json()
    assert (shown["state"], shown["last_error"]["code"]) == ("blocked", "unauthorized")
    assert "token" in shown["reason"]
    assert datetime.fromisoformat(shown["next_attempt"]) > datetime.fromisoformat(shown["last_error"]["at"])


async def test_the_list_comes_in_pages_by_name() -> None:
    world = World()
    plans = [a_plan(name=name, ref=ref) for name, ref in three_plans()]
    for plan in plans:
        world.source.make(plan.ref)
    async with open_office(world, plans) as office:
        first = (await office.http.get("/api/v1/triggers", params={"limit": 2})).json()
        second = (await office.http.get("/api/v1/triggers", params={"limit": 2, "after": first["next"]})).json()
        exact = (await office.http.get("/api/v1/triggers", params={"limit": 3})).json()
    assert [one["name"] for one in first["triggers"]] == ["a", "b"]
    assert ([one["name"] for one in second["triggers"]], second["next"]) == (["c"], None)
    assert exact["next"] is None


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "NaN", ""])
async def test_a_page_of_an_impossible_size_is_refused(limit: str) -> None:
    world = World()
    async with open_office(world) as office:
        assert_problem(await office.http.get("/api/v1/triggers", params={"limit": limit}), 422, "invalid_request")


async def test_pause_and_resume_are_accepted_kept_and_obeyed() -> None:
    world = World()
    async with open_office(world) as office:
        paused = await office.http.post(f"{ONE}/pause", json={"reason": "month end"})
        world.upload(2)
        await world.clock.sleep(600)
        assert (paused.status_code, world.pending) == (202, 2)
        shown = (await office.http.get(ONE)).json()
        assert (shown["state"], shown["paused_by"], shown["reason"]) == (
            "paused",
            "operate",
            "paused by operate: month end",
        )
        assert (await office.http.post(f"{ONE}/resume")).status_code == 202
        await world.until(lambda: world.pending == 0)


async def test_a_pause_needs_no_body_and_refuses_a_misspelt_one() -> None:
    world = World()
    async with open_office(world) as office:
        assert (await office.http.post(f"{ONE}/pause")).status_code == 202
        answer = await office.http.post(f"{ONE}/pause", json={"reasn": "month end"})
        assert_problem(answer, 422, "invalid_request")
        assert answer.json()["errors"][0]["at"] == ["body", "reasn"]


async def test_what_cannot_be_written_down_is_not_accepted() -> None:
    """D18: durable before it is answered."""
    world = World()
    async with open_office(world) as office:
        world.store.save_failures = 1
        answer = await office.http.post(f"{ONE}/pause")
        assert_problem(answer, 503, "broker_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await office.http.get(ONE)).json()["paused_by"] is None


async def test_a_reset_is_a_resource_from_its_request_to_its_end() -> None:
    """D4: the next generation."""
    world = World()
    world.upload(3)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        answer = await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY, "reason": "wrong rule"})
        assert answer.status_code == 202
        location = answer.headers["location"]
        assert location == f"{ONE}/resets/{answer.json()['id']}"
        assert answer.json()["phase"] == "requested"
        await world.until(lambda: office.supervisor.worker(TriggerName("disputes")).keeper.standing.open_reset is None)
        done = (await office.http.get(location)).json()
        await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY})
        listed = (await office.http.get(f"{ONE}/resets")).json()["resets"]
    assert (done["phase"], done["generation"], done["replayed"]) == ("done", 1, 3)
    assert (done["requested_by"], done["reason"]) == ("operate", "wrong rule")
    assert listed[1] == done, "newest first"
    assert world.log.on("rpa.urgent")[:6] == [*sequence(1, 3), *sequence(1, 3)]


async def test_one_idempotency_key_is_one_reset() -> None:
    world = World()
    world.upload(1)
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        body = {"to_comment_created_at": EARLY}
        carried_out, resetting = asyncio.Event(), world.source.reset

        async def held_up(trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
            await carried_out.wait()
            return await resetting(trigger, to_comment_created_at)

        world.source.reset = held_up  # type: ignore[method-assign]
        answers = [
            await office.http.post(f"{ONE}/resets", json=body, headers={"Idempotency-Key": key})
            for key in ("k1", "k1", "k2")
        ]
        carried_out.set()
        await world.until(lambda: world.store.standings[TriggerName("disputes")].open_reset is None)
        again = await office.http.post(f"{ONE}/resets", json=body, headers={"Idempotency-Key": "k1"})
    assert answers[0].headers["location"] == answers[1].headers["location"] == again.headers["location"]
    assert_problem(answers[2], 409, "conflict")
    assert again.json()["phase"] == ResetPhase.DONE.value
    assert world.store.standings[TriggerName("disputes")].generation == 1


async def test_a_reset_that_would_skip_needs_to_be_asked_to() -> None:
    world = World()
    async with open_office(world) as office:
        await office.http.post(f"{ONE}/pause")
        world.upload(2)
        body = {"to_comment_created_at": (world.clock.now() - timedelta(seconds=1)).isoformat()}
        answer = await office.http.post(f"{ONE}/resets", json=body)
        assert_problem(answer, 422, "would_skip")
        assert "allow_skip" in answer.json()["detail"]
        assert (await office.http.post(f"{ONE}/resets", json={**body, "allow_skip": True})).status_code == 202


async def test_a_reset_while_the_platform_is_out_is_not_accepted() -> None:
    world = World()
    async with open_office(world) as office:
        world.source.go_down()
        answer = await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY})
        assert_problem(answer, 503, "unreachable")


@pytest.mark.parametrize(
    "instant",
    ["yesterday", "", "2026-13-01T00:00:00Z", None, [], {}, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"],
)
async def test_an_instant_that_is_none_is_refused(instant: object) -> None:
    world = World()
    async with open_office(world) as office:
        answer = await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": instant})
        assert_problem(answer, 422, "invalid_request")


async def test_an_instant_without_a_zone_is_utc() -> None:
    world = World()
    async with open_office(world) as office:
        answer = await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": "2020-01-01T00:00:00"})
    assert datetime.fromisoformat(answer.json()["to_comment_created_at"]) == datetime(2020, 1, 1, tzinfo=UTC)


async def test_explain_says_what_would_become_of_a_result() -> None:
    world = World()
    async with open_office(world) as office:
        result = json.loads(raw_result(1, {"Urgent": 0.9}))
        answer = await office.http.post(f"{ONE}/explain", json={"result": result})
        none = await office.http.post(f"{ONE}/explain", json={"result": {"comment": 17}})
    assert answer.status_code == 200
    assert "urgent" in json.dumps(answer.json())
    assert_problem(none, 422, "not_a_result")
    assert "no_comment" in none.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/triggers/none"),
        ("POST", "/api/v1/triggers/none/pause"),
        ("POST", "/api/v1/triggers/none/resume"),
        ("GET", "/api/v1/triggers/none/resets"),
        ("GET", "/api/v1/triggers/none/resets/r1"),
    ],
)
async def test_a_trigger_nobody_configured_is_not_there(method: str, path: str) -> None:
    world = World()
    async with open_office(world) as office:
        assert_problem(await office.http.request(method, path), 404, "unknown_trigger")


async def test_resets_and_explanations_of_no_trigger_are_not_there() -> None:
    world = World()
    async with open_office(world) as office:
        for path, body in (("resets", {"to_comment_created_at": EARLY}), ("explain", {"result": {}})):
            assert_problem(await office.http.post(f"/api/v1/triggers/none/{path}", json=body), 404, "unknown_trigger")


async def test_what_is_no_route_and_no_reset_is_a_problem_too() -> None:
    world = World()
    async with open_office(world) as office:
        assert_problem(await office.http.get("/api/v2/triggers"), 404, "not_found")
        assert_problem(await office.http.delete(ONE), 405, "method_not_allowed")
        assert_problem(await office.http.get(f"{ONE}/resets/none"), 404, "unknown_reset")


async def test_before_the_standings_are_read_the_answer_is_later_not_never() -> None:
    world = World()
    async with world.running() as supervisor:
        pass
    async with client_of(admin_of(world, supervisor)) as http:
        assert_problem(await http.get(ONE), 503, "starting")


async def test_a_defect_of_a_route_is_a_problem_without_its_insides(monkeypatch: pytest.MonkeyPatch) -> None:
    """I10."""

    def defect(_: TriggerName) -> None:
        raise ValueError("a customer wrote this")

    world = World()
    async with open_office(world) as office:
        monkeypatch.setattr(office.supervisor, "seen", defect)
        transport = httpx.ASGITransport(office.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=office.http.headers) as http:
            answer = await http.get(ONE)
    assert_problem(answer, 500, "internal")
    assert "customer" not in answer.text


async def test_retry_is_what_a_neighbour_asks_for() -> None:
    world = World()
    async with open_office(world) as office:
        world.source.go_down(Retry("fetch: the platform answered 503", code="unavailable", retry_after_s=77.0))
        answer = await office.http.post(f"{ONE}/resets", json={"to_comment_created_at": EARLY})
    assert answer.headers["retry-after"] == "77"
