"""A subscriber's record is what the service writes; both sides are written apart and must agree."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from bridge.adapters.kafka.state_format import position_record
from bridge.consumer import DeadLetter, Matched, NotARecordError, Record, Trigger, complete_up_to, parse, record_of
from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.position import Position
from tests.fakes.plans import a_plan
from tests.fakes.results import a_batch, raw_result

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def deliveries_of(raw: bytes, generation: int = 3) -> list[Delivery]:
    batch = a_batch([raw])
    return list(decide(batch, a_plan(), Generation(generation), {}, TRACE).deliveries)


def read(delivery: Delivery) -> Record | DeadLetter:
    return parse(
        topic=delivery.topic,
        partition=1,
        offset=42,
        key=delivery.key,
        value=delivery.value,
        headers=delivery.headers,
    )


def test_a_result_is_read_as_it_was_written() -> None:
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    record = read(delivery)
    plan = a_plan()
    assert type(record) is Record
    assert (record.topic, record.partition, record.offset, record.key) == (delivery.topic, 1, 42, delivery.key)
    assert record.id == delivery.mark.hex()
    assert (record.generation, record.route) == (3, delivery.route)
    assert record.source == f"/{plan.ref.project}/{plan.ref.dataset}/triggers/{plan.ref.trigger}"
    assert record.trigger == Trigger(
        name=plan.name, project=plan.ref.project, dataset=plan.ref.dataset, trigger=plan.ref.trigger
    )
    assert record.uid == record.comment["uid"]
    assert record.created_at == record.comment["created_at"]
    assert record.sequence_id == delivery.sequence_id
    assert record.trace == {"traceparent": TRACE}
    assert record.matched == (Matched(label=("Urgent",), probability=0.9, min=record.matched[0].min),)
    assert record.labels == record.body["labels"]
    assert record.entities == record.body["entities"]


def test_a_dead_letter_is_one_by_its_type() -> None:
    (delivery,) = deliveries_of(b'{"comment": 7}')
    record = read(delivery)
    assert isinstance(record, DeadLetter)
    assert record.error == delivery.dead_letter_reason
    assert record.error_message
    assert record.trigger.name == a_plan().name
    assert record.labels == record.entities == []


def test_the_value_is_decoded_when_it_is_asked_for() -> None:
    """A repeat is dropped by its headers alone."""
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    damaged = parse(topic="t", partition=0, offset=0, key=None, value=b"{", headers=delivery.headers)
    assert damaged.generation == 3
    with pytest.raises(ValueError, match="Expecting"):
        _ = damaged.comment


def test_a_record_in_a_log_line_shows_no_text_of_the_mail() -> None:
    """I10, on the subscriber's side."""
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}, text="my secret"))
    record = read(delivery)
    assert "my secret" in str(record.comment)
    assert "my secret" not in repr(record)


def test_half_a_surrogate_pair_in_a_mail_is_read() -> None:
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}, text="half \ud83d"))
    assert b"\\ud83d" in delivery.value
    assert read(delivery).comment["messages"][0]["body"]["text"] == "half \ud83d"


def test_what_a_later_release_adds_is_passed_over() -> None:
    """D17."""
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    record = parse(
        topic="t",
        partition=0,
        offset=0,
        key=None,
        value=delivery.value[:-1] + b',"verdict":{"deep":[1]}}',
        headers=(*delivery.headers, ("ce_later", b"\xff")),
    )
    assert record.body["verdict"] == {"deep": [1]}
    assert record.route == delivery.route


@pytest.mark.parametrize("missing", ["ce_id", "ce_type", "ce_source", "ce_generation", "ce_route"])
def test_what_others_wrote_to_the_topic_is_told_apart(missing: str) -> None:
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    headers = tuple(header for header in delivery.headers if header[0] != missing)
    with pytest.raises(NotARecordError, match=f"t/2/9 has no header {missing}"):
        parse(topic="t", partition=2, offset=9, key=None, value=delivery.value, headers=headers)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("ce_type", b"com.reinfer.trigger.result.v2", "result.v2"), ("ce_generation", b"\xc2\xb2", "no number")],
)
def test_what_this_release_cannot_read_is_refused_in_words(name: str, value: bytes, said: str) -> None:
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    headers = tuple((each, value if each == name else content) for each, content in delivery.headers)
    with pytest.raises(NotARecordError, match=said):
        parse(topic="t", partition=0, offset=0, key=None, value=b"{}", headers=headers)


def test_a_message_of_a_client_is_read_by_its_attributes() -> None:
    (delivery, *_) = deliveries_of(raw_result(7, {"Urgent": 0.9}))
    message = SimpleNamespace(
        topic="t", partition=0, offset=5, key=b"k", value=delivery.value, headers=delivery.headers
    )
    assert record_of(message).offset == 5
    with pytest.raises(NotARecordError):
        record_of(SimpleNamespace(topic="t", partition=0, offset=5, key=None, value=None, headers=None))


POSITION = Position(
    trigger="org1/collateral/dispute",
    generation=Generation(2),
    first=SequenceId("seq-1"),
    last=SequenceId("seq-9"),
    batch_id=SequenceId("seq-10"),
    records={"urgent": 7},
    earlier=(SequenceId("seq-0"),),
)


def test_complete_up_to_is_read_from_what_the_service_writes() -> None:
    record = position_record(TriggerName("disputes"), POSITION)
    others = [(None, b"x"), (b"disputes/wish", b"{"), (b"fees/position", b"{}")]
    pairs = [(record.key, record.value), *others[:2]]
    (complete,) = complete_up_to(pairs).values()
    assert (complete.trigger, complete.generation, complete.last) == (POSITION.trigger, 2, "seq-9")
    assert (complete.batch_id, complete.records, complete.version) == ("seq-10", {"urgent": 7}, 1)
    with pytest.raises(NotARecordError, match="fees"):
        complete_up_to([*pairs, others[2]])


def test_the_last_position_counts_and_a_deleted_one_does_not() -> None:
    record = position_record(TriggerName("disputes"), POSITION)
    assert list(complete_up_to([(record.key, record.value)])) == ["disputes"]
    assert complete_up_to([(record.key, record.value), (record.key, None)]) == {}


def test_importing_it_loads_nothing_of_the_service_nor_of_its_libraries() -> None:
    code = (
        "import sys, bridge.consumer; "
        "print([name for name in sys.modules if name.startswith(('bridge.', 'aiokafka', 'faststream', 'redis', 'httpx',"
        " 'pydantic')) and not name.startswith('bridge.consumer')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
