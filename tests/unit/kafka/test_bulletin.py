"""What a replica has seen of the standings, over a connection that comes and goes (D18, D19)."""

from __future__ import annotations

from dataclasses import replace

from bridge.adapters.kafka.bulletin import KafkaBulletin
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord, records_of
from bridge.adapters.kafka.state_topic import KafkaStateStore
from bridge.domain.model import Generation, TriggerName
from bridge.domain.standing import Pause, Standing
from tests.fakes.clock import START, FakeClock

NAME = TriggerName("disputes")
PAUSED = Standing(generation=Generation(3), pause=Pause(by="ann", at=START))


def written(standing: Standing, writer: str, first: int) -> list[StateRecord]:
    records = records_of(NAME, standing, writer)
    return [replace(record, offset=first + nth) for nth, record in enumerate(records)]


def test_what_is_read_again_after_an_outage_takes_nothing_back() -> None:
    """Whoever begins to work meanwhile would go on in an old generation, unpaused."""
    settings, clock = KafkaSettings(bootstrap_servers="127.0.0.1:1"), FakeClock()
    bulletin = KafkaBulletin(settings, "test", KafkaStateStore(settings, "test"), clock, writer="me")
    old, new = written(Standing(), "other", 0), written(PAUSED, "other", 10)
    for record in [*old, *new]:
        bulletin._note(record)
    assert list(bulletin.overwritten()) == [NAME]
    for record in old:
        bulletin._note(record)
    assert (bulletin.standing(NAME), list(bulletin.overwritten())) == (PAUSED, [])
