"""A result asked for once more is what the trigger would give: the comment, and what its own model says of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TypeGuard

import httpx
import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.recovery import PlatformRecovery
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.triggers import LabelThreshold, PinnedModel, TriggerSpec
from bridge.adapters.platform.wire import decode_result
from bridge.domain.model import Result, TriggerRef, Undecodable
from tests.contract.platform.conftest import Town
from tests.contract.platform.test_workspace import DATASET, furnished

OWNER, _, NAME = DATASET.partition("/")
CUT = PinnedModel(version=0, label_thresholds=(LabelThreshold(name=("Fee",), threshold=0.3),))


@pytest.mark.parametrize("model", [PinnedModel(version=0), CUT, None], ids=["all labels", "cut", "no model"])
async def test_a_recovered_result_routes_as_the_fetched_one(town: Town, model: PinnedModel | None) -> None:
    source_id = await furnished(town)
    ref = TriggerRef(project=OWNER, dataset=NAME, trigger="recovered")
    settings = PlatformSettings(base_url="http://localhost", token="sandbox")
    async with PlatformClient(settings, SystemClock(), transport=httpx.ASGITransport(town.app)) as client:
        spec = TriggerSpec(name=ref.trigger) if model is None else TriggerSpec(name=ref.trigger, model=model)
        await client.create(OWNER, NAME, spec)
        await client.reset(ref, datetime(2000, 1, 1, tzinfo=UTC))
        fetched = {each.comment.uid: each for each in (await client.fetch(ref, 100)).results if is_result(each)}
        wanted = [*fetched, f"{source_id}.ffff", "0123456789abcdef.1", "nonsense"]
        found = await PlatformRecovery(client, town.platform).recover(ref, wanted)
    assert found.keys() == fetched.keys()
    assert fetched
    for uid, body in found.items():
        again = decode_result(json.dumps({"sequence_id": "s", **json.loads(body)}).encode())
        assert is_result(again)
        assert (again.comment, again.entities) == (fetched[uid].comment, fetched[uid].entities)
        assert {label.name: round(label.probability, 6) for label in again.labels} == {
            label.name: round(label.probability, 6) for label in fetched[uid].labels
        }


def is_result(found: Result | Undecodable) -> TypeGuard[Result]:
    return not isinstance(found, Undecodable)
