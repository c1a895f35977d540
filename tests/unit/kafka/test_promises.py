"""Which clusters keep an acked record when one broker is lost (I1, D16)."""

from __future__ import annotations

import pytest

from bridge.adapters.kafka.admin import Topic, in_sync_min
from bridge.adapters.kafka.topic_promises import of_copies


@pytest.mark.parametrize(
    ("copies", "in_sync", "codes"),
    [
        (1, "1", ["single_replica"]),
        (3, "1", ["single_replica"]),
        (3, "2", []),
        (2, "2", []),
        (3, None, ["single_replica"]),
    ],
)
def test_an_ack_must_stand_for_two_copies(copies: int, in_sync: str | None, codes: list[str]) -> None:
    topic = Topic(error_code=0, partitions=1, replicas_min=copies, is_led=True)
    told = list(of_copies("rpa.a", topic, {"min.insync.replicas": in_sync}))
    assert [finding.code for finding in told] == codes
    assert all(finding.accepted_by == "single_replica" for finding in told)


def test_topics_we_make_want_two_copies_in_sync_where_they_have_them() -> None:
    assert [in_sync_min(copies) for copies in (1, 2, 3, 5)] == ["1", "2", "2", "2"]
