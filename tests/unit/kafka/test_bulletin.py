"""What a replica has seen of the standings, over a connection that comes and goes (D18, D19)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.adapters.kafka.bulletin import KafkaBulletin
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord, records_of
from bridge.adapters.kafka.state_topic import KafkaStateStore
from bridge.domain.errors import Retry
from bridge.domain.model import Generation, TriggerName
from bridge.domain.standing import Pause, Standing
from tests.fakes.clock import START, FakeClock

NAME = TriggerName("disputes")
PAUSED = Standing(generation=Generation(3), pause=Pause(by="ann", at=START))


def written(standing: Standing, writer: str, first: int, at_ms: int = 0) -> list[StateRecord]:
    records = records_of(NAME, standing, writer)
    return [replace(record, offset=first + nth, at_ms=at_ms or 1_000 + first) for nth, record in enumerate(records)]


def a_bulletin() -> KafkaBulletin:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    return KafkaBulletin(settings, "test", KafkaStateStore(settings, "test"), FakeClock(), writer="me")


def test_what_is_read_again_after_an_outage_takes_nothing_back() -> None:
    """Whoever begins to work meanwhile would go on in an old generation, unpaused."""
    bulletin = a_bulletin()
    old, new = written(Standing(), "other", 0), written(PAUSED, "other", 10)
    for record in [*old, *new]:
        bulletin._note(record)
    assert list(bulletin.overwritten()) == [NAME]
    for record in old:
        bulletin._note(record)
    assert (bulletin.standing(NAME), list(bulletin.overwritten())) == (PAUSED, [])


def test_what_was_written_since_at_an_offset_seen_before_says_that_the_topic_is_another() -> None:
    """One that was deleted and made anew has as many records by now; it is read from its beginning."""
    bulletin = a_bulletin()
    for record in written(PAUSED, "other", 10):
        bulletin._note(record)
    anew = written(Standing(), "other", 3, at_ms=5_000)
    with pytest.raises(Retry, match="made anew"):
        bulletin._note(anew[0])
    for record in anew:
        bulletin._note(record)
    assert bulletin.standing(NAME) == Standing()
