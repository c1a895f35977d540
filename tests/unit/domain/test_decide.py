"""Step 2: a batch becomes records whose bytes are the platform's own (design section 6, D6, D11)."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.decide import Decision, decide
from bridge.domain.delivery import Delivery, mark_key
from bridge.domain.errors import StopTrigger
from bridge.domain.model import Batch, Generation, SequenceId
from bridge.domain.plan import KeyFrom, KeyKind, TriggerPlan
from bridge.domain.rules import MatchMode
from tests.fakes.plans import REF, a_plan, a_route
from tests.fakes.results import SOURCE_ID, a_batch, raw_result

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def decided(batch: Batch, plan: TriggerPlan, generation: int = 0, **refused: str) -> Decision:
    return decide(batch, plan, Generation(generation), {}, TRACE)


def headers(delivery: Delivery) -> dict[str, str]:
    return {name: value.decode() for name, value in delivery.headers}


def test_a_record_is_the_result_as_sent_with_what_the_bridge_knows_in_front() -> None:
    raw = raw_result(1, {"Urgent": 0.75}, label_properties=[{"property_name": "tone", "value": -0.5}])
    (delivery,) = decided(a_batch([raw]), a_plan()).deliveries

    assert delivery.value.endswith(raw[1:])
    record = json.loads(delivery.value)
    assert record["trigger"] == {"name": "disputes", "project": "org1", "dataset": "collateral", "trigger": "dispute"}
    assert record["generation"] == 0
    assert record["route"] == {
        "name": "urgent",
        "topic": "rpa.urgent",
        "matched": [{"label": ["Urgent"], "probability": 0.75, "min": 0.5}],
    }
    assert record["sequence_id"] == "seq-1"
    assert record["label_properties"] == [{"property_name": "tone", "value": -0.5}]


def test_headers_follow_the_cloudevents_binding() -> None:
    (delivery,) = decided(a_batch([raw_result(1, {"Urgent": 0.9})]), a_plan(), generation=3).deliveries
    assert headers(delivery) == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": mark_key(REF.identity, Generation(3), SequenceId("seq-1"), "urgent").hex(),
        "ce_source": "/org1/collateral/triggers/dispute",
        "ce_type": "com.reinfer.trigger.result.v1",
        "ce_subject": f"{SOURCE_ID}.1",
        "ce_time": "2020-06-01T13:27:29.450Z",
        "ce_generation": "3",
        "ce_route": "urgent",
        "traceparent": TRACE,
    }


def test_a_result_goes_to_every_route_that_holds_and_unmatched_ones_to_their_topic() -> None:
    plan = a_plan({"urgent": "Urgent", "fees": "Fee"})
    batch = a_batch([raw_result(1, {"Urgent": 0.9, "Fee": 0.9}), raw_result(2, {"Spam": 0.9}), raw_result(3, {})])
    decision = decided(batch, plan)
    assert [(d.topic, d.sequence_id) for d in decision.deliveries] == [
        ("rpa.urgent", "seq-1"),
        ("rpa.fees", "seq-1"),
        ("rpa.unrouted", "seq-2"),
        ("rpa.unrouted", "seq-3"),
    ]
    assert decision.unmatched == 2


def test_unmatched_results_without_a_topic_are_dropped_and_counted() -> None:
    decision = decided(a_batch([raw_result(1, {})]), a_plan(unmatched=None))
    assert decision.deliveries == []
    assert decision.unmatched == 1


@pytest.mark.parametrize("mode", list(MatchMode))
def test_a_shadow_route_is_counted_and_never_published(mode: MatchMode) -> None:
    plan = a_plan({}, mode=mode, extra=(a_route("next", "Delay", shadow=True),))
    decision = decided(a_batch([raw_result(1, {"Delay": 0.9})]), plan)
    assert [d.topic for d in decision.deliveries] == ["rpa.unrouted"]
    assert decision.shadowed == {"next": 1}


def test_the_same_result_in_another_generation_has_another_key() -> None:
    batch = a_batch([raw_result(1, {"Urgent": 0.9})])
    first, second = (decided(batch, a_plan(), generation).deliveries[0].mark for generation in (0, 1))
    assert first != second


@given(st.lists(st.text(min_size=1), min_size=4, max_size=4))
def test_no_two_deliveries_share_a_key(parts: list[str]) -> None:
    """D4: trigger, generation, sequence id and route each count, wherever a character stands."""
    identity, sequence_id, route, other = parts
    key = mark_key(identity, Generation(1), SequenceId(sequence_id), route)
    for different in (
        mark_key(identity + "x", Generation(1), SequenceId(sequence_id), route),
        mark_key(identity, Generation(11), SequenceId(sequence_id), route),
        mark_key(identity, Generation(1), SequenceId(sequence_id + other + "x"), route),
        mark_key(identity, Generation(1), SequenceId(sequence_id), route + other + "x"),
    ):
        assert key != different


def test_keys_of_the_platform_that_are_the_records_own_are_left_out_and_the_rest_stays_as_written() -> None:
    raw = (
        b'{ "route" : {"x":[1,"]}"]} ,"comment":{"uid":"s.1","n":1.50e3}, '
        b'"generation":7,"sequence_id":"q","odd":"\\u00e9" }'
    )
    (delivery,) = decided(a_batch([raw]), a_plan()).deliveries
    assert delivery.value.endswith(b',"comment":{"uid":"s.1","n":1.50e3},"sequence_id":"q","odd":"\\u00e9"}')
    record = json.loads(delivery.value, object_pairs_hook=list)
    assert [key for key, _ in record] == ["trigger", "generation", "route", "comment", "sequence_id", "odd"]


def test_an_undecodable_result_becomes_a_dead_letter_with_its_reason() -> None:
    """I8: one poisonous result takes the same road as the others."""
    raw = b'{"sequence_id":"q","comment":17}'
    decision = decided(a_batch([raw_result(1, {"Urgent": 0.9}), raw, raw_result(3, {"Urgent": 0.9})]), a_plan())
    assert [d.topic for d in decision.deliveries] == ["rpa.urgent", "rpa.dead", "rpa.urgent"]
    letter = decision.deliveries[1]
    assert letter.dead_letter_reason
    assert headers(letter)["ce_type"] == "com.reinfer.trigger.dead.v1"
    assert headers(letter)["bridge_error"] == letter.dead_letter_reason
    assert json.loads(letter.value)["result"] == {"sequence_id": "q", "comment": 17}
    assert sum(decision.dead_letters.values()) == 1


def test_what_is_no_json_at_all_is_kept_in_a_dead_letter_as_base64() -> None:
    raw = b'{"sequence_id":"q","comment":{"uid":"s.1","n":NaN},"odd":"\xff"}'
    (letter,) = decided(a_batch([raw]), a_plan()).deliveries
    assert b64decode(json.loads(letter.value)["result_base64"]) == raw


def test_a_result_too_large_is_cut_to_its_identifiers_for_each_topic_it_was_meant_for() -> None:
    plan = a_plan({"urgent": "Urgent", "fees": "Fee"}, record_bytes_max=5_000)
    batch = a_batch([raw_result(1, {"Urgent": 0.9, "Fee": 0.9}, text="x" * 10_000)])
    decision = decided(batch, plan)
    assert [d.topic for d in decision.deliveries] == ["rpa.dead", "rpa.dead"]
    assert [headers(d)["bridge_original_topic"] for d in decision.deliveries] == ["rpa.urgent", "rpa.fees"]
    assert len({d.mark for d in decision.deliveries}) == 2
    for letter in decision.deliveries:
        body = json.loads(letter.value)
        assert body["comment"]["uid"] == f"{SOURCE_ID}.1"
        assert body["error"] == {"code": "too_large"}
        assert len(letter.value) < 1_000


def test_a_key_over_the_limit_makes_a_dead_letter_keyed_by_the_comment() -> None:
    plan = replace(a_plan(record_bytes_max=5_000), key=KeyFrom(kind=KeyKind.THREAD_ID))
    (letter,) = decided(a_batch([raw_result(1, {"Urgent": 0.9}, thread_id="t" * 6_000)]), plan).deliveries
    assert letter.topic == "rpa.dead"
    assert letter.key == f"{SOURCE_ID}.1".encode()


def test_what_the_broker_refused_becomes_a_dead_letter() -> None:
    batch, plan = a_batch([raw_result(1, {"Urgent": 0.9})]), a_plan()
    refused = {decided(batch, plan).deliveries[0].mark: "too_large"}
    (letter,) = decide(batch, plan, Generation(0), refused, TRACE).deliveries
    assert letter.topic == "rpa.dead"
    assert letter.mark not in refused


def test_a_dead_letter_without_a_topic_stops_the_trigger() -> None:
    with pytest.raises(StopTrigger, match="dead_letter") as stopped:
        decided(a_batch([b'{"comment":17}']), a_plan(dead_letter=None))
    assert stopped.value.code == "no_dead_letter_topic"


@pytest.mark.parametrize(
    "text", ["\N{PILE OF POO}\N{ZERO WIDTH JOINER}", "\ud800 alone", "e\u0301", "\u202eright to left"]
)
def test_any_text_passes_byte_for_byte(text: str) -> None:
    raw = raw_result(1, {"Urgent": 0.9}, text=text)
    (delivery,) = decided(a_batch([raw]), a_plan()).deliveries
    assert delivery.value.endswith(raw[1:])
    assert json.loads(delivery.value)["comment"]["messages"][0]["body"]["text"] == text


def test_a_lone_surrogate_in_a_uid_reaches_headers_as_its_escape() -> None:
    raw = b'{"comment":{"uid":"s.\\ud800"},"sequence_id":"q","labels":[]}'
    (delivery,) = decided(a_batch([raw]), a_plan()).deliveries
    assert headers(delivery)["ce_subject"] == "s.\\ud800"
