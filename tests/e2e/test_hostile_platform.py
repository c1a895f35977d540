"""A platform that misbehaves, mail that nobody would write, and a token that dies: said clearly, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.evidence import judged
from tests.e2e.stub_platform import stub_platform
from tests.e2e.topics import Read
from tests.e2e.town import DEAD, Town

GATEWAY_PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"op": "fetch", "kind": "garbage"}, "bad_page"),
    ({"op": "fetch", "kind": "garbage", "body": GATEWAY_PAGE}, "bad_page"),
    ({"op": "fetch", "kind": "cut_body"}, "connection_lost"),
    ({"op": "fetch", "kind": "drop"}, "connection_lost"),
    ({"op": "fetch", "kind": "status", "status": 502, "body": GATEWAY_PAGE}, "unavailable"),
    ({"op": "fetch", "kind": "status", "status": 500}, "unavailable"),
    ({"op": "fetch", "kind": "status", "status": 429, "retry_after_s": 1}, "throttled"),
    ({"op": "fetch", "kind": "repeat_page"}, ""),
    ({"op": "advance", "kind": "status", "status": 500}, "unavailable"),
    ({"op": "advance", "kind": "status", "status": 500, "after": True}, "unavailable"),
    ({"op": "advance", "kind": "drop", "after": True}, "connection_lost"),
    ({"op": "advance", "kind": "garbage", "after": True}, "bad_answer"),
]


async def test_every_misdeed_of_the_platform_is_named_and_healed_and_repeats_nothing(town: Town) -> None:
    """I4, I5: the platform is no cause of a duplicate."""
    bridge = town.start(town.config(poll_interval="50ms"))
    for number, (fault, code) in enumerate(FAULTS, 1):
        before = len(bridge.events("cycle_held"))
        town.platform.fault(**fault)
        town.platform.upload(5)
        await town.drained(5 * number)
        held = [line["code"] for line in bridge.events("cycle_held")[before:]]
        assert held == ([code] if code else []), fault
    figures = await judged(town, [])
    assert figures.records == 5 * len(FAULTS)
    for line in bridge.lines:
        assert "Bad Gateway" not in json.dumps(line), "I10"


async def test_mail_of_two_megabytes_is_a_dead_letter_with_its_identifiers_and_the_rest_flows(town: Town) -> None:
    """I8."""
    first = town.platform.upload(3)
    big = town.platform.upload(1, messages=[{"body": {"text": f"{n} " + "x" * 60_000}} for n in range(36)])
    town.platform.upload(3)
    bridge = town.start()
    records = await town.drained(7)
    dead = [record for record in records if record.topic == town.topic(DEAD)]
    assert [record.headers["bridge_error"] for record in dead] == ["too_large"]
    assert dead[0].uid.endswith(f".{big[0]}")
    assert dead[0].body["comment"]["uid"] == dead[0].uid
    assert dead[0].body["sequence_id"]
    assert len(dead[0].value) < 2_000
    assert (await judged(town, [], {len(first): "too_large"})).records == 7
    with bridge.api as api:
        assert 'bridge_dead_letters_total{reason="too_large",trigger="disputes"} 1.0' in api.get("/metrics").text


async def test_odd_but_lawful_mail_goes_through_the_platform_and_us_unchanged(town: Town) -> None:
    """Emoji, right-to-left marks, combining characters, a NUL, no messages at all."""
    odd = "\U0001f4a9 \U0001f469\u200d\U0001f680 \u202e \ufeff e\u0301 \u0000 \uffff"
    town.platform.upload(1, text=odd)
    town.platform.upload(1, messages=[])
    town.platform.upload(1, messages=[{"body": {"text": ""}, "subject": {"text": odd}}])
    town.start()
    bodies = [record.body["comment"]["messages"] for record in await town.drained(3)]
    assert [] in bodies
    assert any(messages and messages[0]["body"]["text"] == f"{odd} 0" for messages in bodies)
    assert any(messages and messages[0].get("subject", {}).get("text") == odd for messages in bodies)
    await judged(town, [])


def a_result(number: int, comment: dict[str, Any] | None = None, **more: Any) -> bytes:
    """As the platform writes it; escapes as Python's own."""
    own = {"uid": f"5.{number:x}", "created_at": "2026-01-05T09:00:00Z", "messages": [], "user_properties": {}}
    return json.dumps({"sequence_id": f"s{number}", "comment": own | (comment or {}), "labels": [], **more}).encode()


def by_uid(records: list[Read]) -> dict[str, Read]:
    assert len({record.ce_id for record in records}) == len(records)
    return {record.uid: record for record in records}


async def test_results_no_client_of_the_platform_would_send_are_carried_or_parked_one_by_one(town: Town) -> None:
    """I8: each goes its way or to the dead letters with a reason, and none stops the others."""
    fine = [a_result(number) for number in range(20)]
    carried = {
        "surrogate": a_result(100, {"messages": [{"body": {"text": "half \ud83d of it"}}]}),
        "key": a_result(101, {"thread_id": "\ud800"}),
        "label": a_result(102, labels=[{"name": ["\udfff"], "probability": 0.9}]),
        "unknown": a_result(103, {"new": {"deep": [1]}}, route={"name": "ours"}, more=1),
        "empty": a_result(104, {"messages": None, "user_properties": None}),
    }
    parked = {
        "not_an_object": b"17",
        "no_comment": b'{"sequence_id":"s201"}',
        "bad_labels": a_result(202, labels=17),
        "not_strict_json": a_result(203).replace(b'"labels": []', b'"labels": [], "x": NaN'),
        "not_utf8": a_result(204).replace(b'"messages": []', b'"messages": ["\xff\xfe"]'),
        "nested_too_deep": a_result(205).replace(b'"labels": []', b'"labels": [], "x": ' + b"[" * 5000 + b"]" * 5000),
    }
    results = [*fine, *carried.values(), *parked.values(), a_result(999)]
    with stub_platform(results) as stub:
        stub.broken = [
            b"",
            b"\x00\xff",
            b"{}",
            b"[]",
            b'{"results": [',
            b"<html>",
            b'{"status":"error","message":"no"}',
        ]
        config = town.config(batch_size=4, poll_interval="50ms")
        config["platform"]["base_url"] = stub.url
        bridge = town.start(config)
        records = await town.drained(len(results))
        town.stop()
    assert {line["code"] for line in bridge.events("cycle_held")} == {"bad_page"}
    dead = [record for record in records if record.topic == town.topic(DEAD)]
    assert sorted(record.headers["bridge_error"] for record in dead) == sorted(parked)
    assert all(json.loads(record.value) for record in records), "each is JSON for a strict reader"
    found = by_uid([record for record in records if record not in dead])
    assert set(found) == {f"5.{number:x}" for number in [*range(20), *range(100, 105), 999]}
    assert b"half \\ud83d of it" in found["5.64"].value
    assert found["5.65"].key == "\ud800".encode("utf-8", "surrogatepass"), "apart from every other key"
    assert found["5.67"].body["route"]["name"] == "unmatched"


@pytest.mark.parametrize(
    ("key", "comment"),
    [
        ('user_properties["string:Domain"]', {"user_properties": {"string:Domain": "k" * 1_100_000}}),
        ("comment.thread_id", {"thread_id": "k" * 1_100_000}),
    ],
    ids=["property", "thread"],
)
async def test_a_key_over_a_megabyte_is_a_dead_letter_and_the_rest_flows(
    town: Town, key: str, comment: dict[str, Any]
) -> None:
    """I8."""
    with stub_platform([a_result(1), a_result(2, comment), a_result(3)]) as stub:
        config = town.config(key=key, poll_interval="50ms")
        config["platform"]["base_url"] = stub.url
        town.start(config)
        records = await town.drained(3, within_s=8)
        town.stop()
    dead = by_uid(records)["5.2"]
    assert (dead.topic, dead.headers["bridge_error"], dead.key) == (town.topic(DEAD), "too_large", b"5.2")
    assert stub.position == 3


async def test_a_token_revoked_in_the_middle_blocks_loudly_and_heals_when_the_file_changes(
    town: Town, tmp_path: Path
) -> None:
    """Trap 31."""
    token_file = tmp_path / "token"
    tokens = "/_sandbox/tokens"
    town.platform.call("POST", tokens, {"set": {"first-token": ["all"]}})
    token_file.write_text("first-token\n")
    config = town.config(poll_interval="50ms")
    config["platform"] = {"base_url": town.platform.sandbox.url, "token_file": str(token_file)}
    bridge = town.start(config)
    town.platform.upload(5)
    await town.drained(5)

    town.platform.call("POST", tokens, {"revoke": ["first-token"], "set": {"second-token": ["all"]}})
    town.platform.upload(5)
    await town.until(lambda: town.state() == "blocked")
    shown = bridge.trigger()
    assert shown["last_error"]["code"] == "unauthorized"
    assert "token" in shown["reason"]
    assert shown["next_attempt"]
    assert [line["level"] for line in bridge.events("trigger_blocked")][:1] == ["error"]

    token_file.write_text("second-token\n")
    await town.drained(10)
    assert (await judged(town, [])).records == 10
    for line in bridge.lines:
        assert "first-token" not in json.dumps(line), "I10"
