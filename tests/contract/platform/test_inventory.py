"""What the platform has for a trigger is read without moving its position, and decided as its results would be."""

from __future__ import annotations

from typing import Any

import httpx

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.inventory import Inventory
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.triggers import PinnedModel, TriggerSpec
from bridge.domain.model import Batch, TriggerRef, Undecodable, created_at
from tests.contract.platform.conftest import Town
from tests.contract.platform.test_workspace import DATASET, SOURCE, furnished

OWNER, _, NAME = DATASET.partition("/")
MODEL = PinnedModel(version=0)
REF = TriggerRef(project=OWNER, dataset=NAME, trigger="audited")


def decided(results: Any) -> dict[str, list[tuple[Any, float]]]:
    """Labels by uid."""
    assert not any(isinstance(each, Undecodable) for each in results)
    return {each.comment.uid: [(it.name, round(it.probability, 6)) for it in each.labels] for each in results}


async def test_all_that_is_there_is_read_and_the_position_stays(town: Town) -> None:
    source_id = await furnished(town)
    settings = PlatformSettings(base_url="http://localhost", token="sandbox")
    async with PlatformClient(settings, SystemClock(), transport=httpx.ASGITransport(town.app)) as client:
        inventory = Inventory(client, town.platform)
        await client.create(OWNER, NAME, TriggerSpec(name=REF.trigger, model=MODEL))
        first = await client.fetch(REF, 7)

        ahead = await inventory.ahead(REF)
        assert ahead.next_at is not None
        assert (ahead.is_all_passed, ahead.is_of_today) == (False, not is_of_2020(first))
        assert created_at(first.results[0]).startswith(ahead.next_at.strftime("%Y-%m-%dT%H:%M:%S"))
        assert await inventory.sources(OWNER, NAME) == ({SOURCE: 20}, 0)
        page = [comment async for page in inventory.pages(SOURCE) for comment in page]
        assert len(page) == 20
        assert all(comment["created_at"] for comment in page)
        gone = {**page[0], "uid": f"{source_id}.ffff"}
        found = await inventory.results(REF, (await inventory.trigger(REF)).model, [*page, gone])
        assert decided(found.values()) == decided((await client.fetch(REF, 100)).results)
        assert ids_of(await client.fetch(REF, 7)) == ids_of(first)

        await client.advance(REF, (await client.fetch(REF, 100)).sequence_id)
        assert (await inventory.ahead(REF)).is_all_passed
        without_model = await inventory.results(REF, None, page[:1])
        assert decided(without_model.values()) == {page[0]["uid"]: []}


def is_of_2020(page: Batch) -> bool:
    return page.is_end is None


def ids_of(page: Batch) -> list[str]:
    return [each.sequence_id for each in page.results if not isinstance(each, Undecodable)]
