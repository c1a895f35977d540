"""The other operations on triggers, by the client before the sandbox, on both spellings and in both eras."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import Api
from bridge.adapters.platform.triggers import TriggerException, TriggerSpec
from bridge.domain.errors import Blocked
from bridge.domain.model import SequenceId, TriggerRef
from tests.contract.source.worlds import KEPT, SandboxWorld, client_before


@pytest.fixture(params=["triggers", "streams", "triggers of 2020"])
async def at(request: pytest.FixtureRequest) -> AsyncIterator[tuple[PlatformClient, SandboxWorld]]:
    server = request.getfixturevalue("sandbox_2020" if "2020" in request.param else "sandbox_today")
    client = client_before(server.url, server.token, Api.STREAMS if request.param == "streams" else Api.TRIGGERS)
    world = SandboxWorld(server.url, server.token, client)
    try:
        await world.prepare()
        yield client, world
    finally:
        await world.close()


async def test_a_trigger_is_made_found_changed_and_deleted(at: tuple[PlatformClient, SandboxWorld]) -> None:
    client, world = at
    other = TriggerRef(project=world.ref.project, dataset=world.ref.dataset, trigger="fees")
    made = await client.create(other.project, other.dataset, TriggerSpec(name="fees", description="all fees"))
    assert (made.name, made.description, made.model) == ("fees", "all fees", None)
    assert made.created_at is not None
    found = await client.list_triggers(other.project, other.dataset)
    assert sorted(trigger.name for trigger in found) == ["dispute", "fees"]
    changed = await client.update(other, TriggerSpec(title="Fees"))
    assert (changed.title, changed.description) == ("Fees", "all fees")
    assert (await client.get(other)).title == "Fees"
    await client.delete(other)
    for gone in (client.get(other), client.delete(other)):
        with pytest.raises(Blocked) as caught:
            await gone
        assert caught.value.code == "trigger_missing"


async def test_trap_11_a_filter_comes_back_as_it_was_given_or_not_at_all(
    at: tuple[PlatformClient, SandboxWorld], request: pytest.FixtureRequest
) -> None:
    """In 2020 the answer leaves it out; a change of something else must not take it off."""
    client, world = at
    told = None if "2020" in request.node.callspec.params["at"] else KEPT
    assert (await client.get(world.ref)).comment_filter == told
    await client.update(world.ref, TriggerSpec(title="New"))
    await world.upload(["a1"], keep=False)
    assert (await client.fetch(world.ref, 8)).filtered == 1


async def test_a_filter_that_is_refused_blocks_and_says_why(at: tuple[PlatformClient, SandboxWorld]) -> None:
    client, world = at
    wrong = TriggerSpec(name="other", comment_filter={"user_properties": {"colour:X": {"one_of": ["a"]}}})
    with pytest.raises(Blocked, match=r"400|422"):
        await client.create(world.ref.project, world.ref.dataset, wrong)


async def test_comments_are_tagged_and_untagged(at: tuple[PlatformClient, SandboxWorld]) -> None:
    client, world = at
    await world.upload(["a1", "a2"])
    batch = await client.fetch(world.ref, 8)
    uids = [result.raw.partition(b'"uid":"')[2].partition(b'"')[0].decode() for result in batch.results]
    await client.tag_exceptions(world.ref, [TriggerException(uid=uid, type="Wrong Prediction") for uid in uids])
    await client.untag_exceptions(world.ref, uids)
    assert (await client.fetch(world.ref, 8)).sequence_id == batch.sequence_id


async def test_results_and_fetch_share_one_position(at: tuple[PlatformClient, SandboxWorld]) -> None:
    client, world = at
    await world.upload(["a1", "a2", "a3"])
    page = await client.results(world.ref, max_results=2, max_filtered=8)
    assert len(page.results) == 2
    assert all(result.uid and result.raw.startswith(b"{") for result in page.results)
    assert page.more_results is True
    await client.advance(world.ref, page.continuation)
    rest = await client.fetch(world.ref, 8)
    assert len(rest.results) == 1
    echoed = await client.advance(world.ref, rest.results[0].sequence_id)
    assert echoed == SequenceId(rest.results[0].sequence_id)
    assert list((await client.results(world.ref)).results) == []
