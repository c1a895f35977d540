"""The produce request as it goes over the wire."""

from __future__ import annotations

import pytest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3, ProduceRequest_v5, ProduceRequest_v7

from bridge.adapters.kafka.produce import LeanProduceRequest

VERSIONS = {0: (0, 7)}
TOPICS = [("rpa.urgent", [(0, b"batch of records"), (3, b"")]), ("rpa.trädes", [(1, b"another" * 1_000)])]


def a_request(transactional_id: str | None = None) -> ProduceRequest:
    return ProduceRequest(transactional_id=transactional_id, required_acks=-1, timeout=40_000, topics=TOPICS)


@pytest.mark.parametrize("version", [ProduceRequest_v3, ProduceRequest_v5, ProduceRequest_v7])
@pytest.mark.parametrize("transactional_id", [None, "prod/disputes", "ü"])
def test_its_bytes_are_those_of_aiokafka(version: type[ProduceRequest_v3], transactional_id: str | None) -> None:
    """Whatever version the broker speaks."""
    spoken = {0: (version.API_VERSION, version.API_VERSION)}
    inherited = a_request(transactional_id).prepare(spoken)
    lean = LeanProduceRequest.narrow(a_request(transactional_id)).prepare(spoken)
    assert lean.encode() == inherited.encode()
    assert type(lean).encode is not type(inherited).encode


def test_it_is_answered_and_headed_as_inherited() -> None:
    """The connection reads version and answer from the class."""
    inherited, lean = a_request().prepare(VERSIONS), LeanProduceRequest.narrow(a_request()).prepare(VERSIONS)
    assert lean.RESPONSE_TYPE is inherited.RESPONSE_TYPE
    header = lean.build_request_header(correlation_id=7, client_id="bridge").encode()
    assert header == inherited.build_request_header(correlation_id=7, client_id="bridge").encode()


def test_an_old_broker_is_spoken_to_as_inherited() -> None:
    """Versions before 3 have another schema."""
    lean = LeanProduceRequest.narrow(a_request()).prepare({0: (0, 2)})
    assert lean.encode() == a_request().prepare({0: (0, 2)}).encode()
