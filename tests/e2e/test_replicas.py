"""Three replicas on Apache Kafka and Redis: fair shares, take-overs, restarts under load, commands through any (I6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.replicas import Replicas, names
from tests.e2e.town import Town

pytestmark = pytest.mark.kafka_apache


@pytest.fixture
def replicas(town: Town) -> Iterator[Replicas]:
    """Three, over a dozen triggers on one dataset; not started."""
    triggers = names(12)
    for trigger in triggers:
        town.platform.create_trigger({"name": trigger})
    replicas = Replicas(town, 3, triggers)
    yield replicas
    replicas.stop()


async def test_everything_arrives_once_through_whoever_owns_it(replicas: Replicas) -> None:
    replicas.start()
    await replicas.shared()
    replicas.town.platform.upload(30)
    records = await replicas.drained(12 * 30)
    assert len(records) == len({record.ce_id for record in records}) == 12 * 30
