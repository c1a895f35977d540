"""Dead letters of a real run, sent to their topics once the reason is gone."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.commands import said
from tests.e2e.town import DEAD, Town

pytestmark = pytest.mark.kafka_apache

LARGE = "x" * 20_000


async def test_too_large_results_reach_their_topics_once_the_limit_is_raised(town: Town) -> None:
    """I4, I8: by the platform's own answer, under the keys of the first time; again, nothing is sent."""
    town.platform.upload(24)
    town.platform.upload(6, text=LARGE)
    town.start(town.config(record_bytes_max=10_000))
    await town.drained(30)
    assert town.bridge is not None
    town.bridge.configure(town.config(record_bytes_max=100_000))
    file = town.bridge.config_file
    dead = ("--topic", town.topic(DEAD))
    runs = [await said("redrive", file, *dead) for _ in range(2)]
    fates = [found["triggers"][0]["fates"] for _, found in runs]
    assert fates == [{"redriven": 6}, {"already_there": 6}]
    assert [code for code, _ in runs] == [0, 0]

    records = [record for record in await town.read() if record.topic != town.topic(DEAD)]
    assert len(records) == len({record.ce_id for record in records}) == 30
    assert Counter(record.topic for record in records) == {
        topic: len(uids) for topic, uids in town.expected_topics().items() if uids
    }
    redriven = [record for record in records if "bridge_redriven_from" in record.headers]
    assert all(record.body["comment"]["messages"][0]["body"]["text"].startswith(LARGE) for record in redriven)
    assert {record.headers["bridge_redriven_from"].split("/")[0] for record in redriven} == {town.topic(DEAD)}
    order = {result["uid"]: result["sequence_id"] for result in town.platform.expected()}
    assert all(record.body["sequence_id"] == order[record.uid] for record in redriven)
