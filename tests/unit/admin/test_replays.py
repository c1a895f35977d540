"""Replays with an end, to other topics, and called off, as an operator asks for them."""

from __future__ import annotations

import pytest

from bridge.domain.model import TriggerName
from tests.unit.admin.office import READ, assert_problem, open_office
from tests.unit.engine.world import World, sequence

ONE = "/api/v1/triggers/disputes"
DAYS = [f"2020-06-0{number}T00:00:00Z" for number in (1, 2, 3)]
BODY = {"to_comment_created_at": DAYS[1], "until": DAYS[2], "topic_prefix": "try.", "reason": "new rule"}


def a_world() -> World:
    world = World()
    for day in DAYS:
        world.upload(2, created_at=day)
    return world


async def test_a_replay_with_an_end_shows_what_was_asked_and_how_far_it_is() -> None:
    world = a_world()
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        world.source.fail_next("reset", times=3)
        asked = (await office.http.post(f"{ONE}/resets", json=BODY)).json()
        assert {name: asked[name] for name in BODY} == BODY
        assert (asked["share_replayed"], asked["replayed"], asked["cancelled_by"]) == (0.0, 0, "")
        await world.until(lambda: world.store.standings[TriggerName("disputes")].open_reset is None)
        done = (await office.http.get(f"{ONE}/resets/{asked['id']}")).json()
    assert (done["phase"], done["share_replayed"], done["replayed"]) == ("done", 1.0, 2)
    assert done["replayed_to"] == DAYS[1]
    assert world.log.on("try.rpa.urgent") == sequence(3, 4)
    assert world.log.on("rpa.urgent") == sequence(1, 6)


async def test_a_replay_is_called_off_by_whoever_may_operate() -> None:
    world = a_world()
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        world.source.fail_next("reset", times=1000)
        asked = (await office.http.post(f"{ONE}/resets", json=BODY)).json()
        at = f"{ONE}/resets/{asked['id']}/cancel"
        async with office.asking(READ) as reader:
            assert (await reader.post(at)).status_code == 403
        assert (await office.http.post(at)).status_code == 202
        again = await office.http.post(at)
        assert (again.status_code, again.json()["cancelled_by"]) == (202, "operate")
        await world.until(lambda: world.store.standings[TriggerName("disputes")].open_reset is None)
        assert (await office.http.get(f"{ONE}/resets/{asked['id']}")).json()["phase"] == "cancelled"
        assert_problem(await office.http.post(f"{ONE}/resets/none/cancel"), 404, "unknown_reset")
        world.source.come_back()
    assert world.log.on("rpa.urgent") == sequence(1, 6)


async def test_what_is_over_cannot_be_called_off() -> None:
    world = a_world()
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        asked = (await office.http.post(f"{ONE}/resets", json=BODY)).json()
        await world.until(lambda: world.store.standings[TriggerName("disputes")].open_reset is None)
        assert_problem(await office.http.post(f"{ONE}/resets/{asked['id']}/cancel"), 409, "conflict")


@pytest.mark.parametrize(
    "wrong",
    [{"until": DAYS[1]}, {"until": DAYS[0]}, {"topic_prefix": "no way/"}, {"topic_prefix": "x" * 248}],
)
async def test_a_replay_that_can_never_be_is_refused(wrong: dict[str, str]) -> None:
    world = a_world()
    async with open_office(world) as office:
        assert_problem(await office.http.post(f"{ONE}/resets", json=BODY | wrong), 422, "unfit_reset")


async def test_one_key_with_another_body_is_refused() -> None:
    """The caller would take the first reset for the one it asked for."""
    world = a_world()
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        key = {"Idempotency-Key": "k1"}
        assert (await office.http.post(f"{ONE}/resets", json=BODY, headers=key)).status_code == 202
        other = await office.http.post(f"{ONE}/resets", json=BODY | {"until": None}, headers=key)
        assert_problem(other, 422, "idempotency_key_reused")
        assert (await office.http.post(f"{ONE}/resets", json=BODY, headers=key)).status_code == 202
