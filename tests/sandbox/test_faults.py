"""Faults on order, the event log, and what a real connection shows of them."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.neighbours.sandbox import Sandbox
from tests.sandbox.driver import DATASET, Driver, FixedClock, mails

FETCH = f"{DATASET}/triggers/dispute/fetch"
ADVANCE = f"{DATASET}/triggers/dispute/advance"


async def ready(driver: Driver, count: int = 3) -> dict[str, Any]:
    await driver.prepare()
    await driver.create_trigger()
    await driver.upload(mails(count))
    return await driver.fetch()


async def order(driver: Driver, **fault: Any) -> None:
    await driver.ok("POST", "/_sandbox/faults", [fault])


async def test_a_status_fault_spoils_as_many_calls_as_it_says(each: Driver) -> None:
    page = await ready(each)
    await order(each, op="fetch", kind="status", status=429, retry_after_s=2, times=2)
    for _ in range(2):
        response = await each.send("POST", FETCH, {"size": 1})
        assert (response.status_code, response.headers["retry-after"]) == (429, "2")
        assert response.json()["status"] == "error"
    assert (await each.fetch()) == page


async def test_faults_are_listed_with_what_is_left_and_cleared(each: Driver) -> None:
    await ready(each)
    await order(each, op="fetch", kind="status", times=2)
    await each.send("POST", FETCH, {"size": 1})
    (fault,) = (await each.ok("GET", "/_sandbox/faults"))["faults"]
    assert (fault["times"], fault["hits"]) == (1, 1)
    await each.ok("DELETE", "/_sandbox/faults")
    await each.fetch()


async def test_faults_choose_by_operation_trigger_and_count(each: Driver) -> None:
    await ready(each)
    await each.create_trigger("other")
    await order(each, op="*", trigger="other", kind="status", skip=1, times=None)
    assert [(await each.send("POST", FETCH, {"size": 1})).status_code for _ in range(2)] == [200, 200]
    path = FETCH.replace("dispute", "other")
    assert [(await each.send("POST", path, {"size": 1})).status_code for _ in range(3)] == [200, 503, 503]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "drop", "times": 0},
        {"kind": "status", "status": 200},
        {"kind": "drop", "what": 1},
        {},
    ],
)
async def test_a_fault_that_cannot_be_is_refused(each: Driver, fault: dict[str, Any]) -> None:
    await each.refused(400, "POST", "/_sandbox/faults", [fault])


async def test_garbage_and_gateway_pages_are_not_json(each: Driver) -> None:
    await ready(each)
    await order(each, op="fetch", kind="garbage")
    await order(each, op="fetch", kind="status", status=502, body="<html>Bad Gateway</html>")
    garbage = await each.send("POST", FETCH, {"size": 1})
    assert garbage.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        garbage.json()
    gateway = await each.send("POST", FETCH, {"size": 1})
    assert (gateway.status_code, gateway.text) == (502, "<html>Bad Gateway</html>")


async def test_a_repeated_page_is_the_last_one_though_the_position_moved(each: Driver) -> None:
    page = await ready(each)
    await each.advance(page["sequence_id"])
    await order(each, op="fetch", kind="repeat_page")
    assert await each.fetch() == page
    assert (await each.fetch())["results"] == []


@pytest.mark.parametrize(("after", "left"), [(False, 3), (True, 0)])
async def test_after_decides_whether_the_operation_was_done(each: Driver, after: bool, left: int) -> None:
    page = await ready(each)
    await order(each, op="advance", kind="status", status=500, after=after)
    await each.refused(500, "POST", ADVANCE, {"sequence_id": page["sequence_id"]})
    assert len((await each.fetch())["results"]) == left


async def test_the_log_tells_what_was_served_set_and_spoiled(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "l.sqlite", FixedClock(), log_file=tmp_path / "log.jsonl", log_events_max=3)
    page = await ready(driver)
    await driver.send("POST", FETCH, {"size": 2}, headers={"traceparent": "00-ab-cd-01"})
    await driver.advance(page["sequence_id"])
    await order(driver, op="reset", kind="status")
    await driver.send("POST", ADVANCE.replace("advance", "reset"), {"to_comment_created_at": "2020-01-01"})
    await driver.send("POST", ADVANCE, {"sequence_id": "garbage"})
    answer = await driver.ok("GET", "/_sandbox/log?after=2")
    assert (answer["latest"], answer["first_kept"]) == (5, 3)
    advance, reset, refused = answer["events"]
    assert (advance["op"], advance["sequence_id"], advance["done"]) == ("advance", page["sequence_id"], True)
    assert (advance["trigger"], advance["status"]) == ("org1/collateral/dispute", 200)
    assert (reset["op"], reset["fault"], reset["done"], reset["status"]) == ("reset", "status", False, 503)
    assert (refused["done"], refused["status"]) == (False, 400)
    await driver.refused(400, "GET", "/_sandbox/log?after=x")
    await driver.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[1]["traceparent"] == "00-ab-cd-01"
    assert lines[1]["served"] == [result["sequence_id"] for result in page["results"][:2]]


def test_a_real_connection_is_dropped_and_cut(sandbox: Sandbox) -> None:
    """Over a socket; and a kill in between loses nothing that was answered."""
    headers = {"authorization": f"Bearer {sandbox.token}"}
    with httpx.Client(base_url=sandbox.url, headers=headers) as client:

        def ok(method: str, path: str, body: object) -> dict[str, Any]:
            answer: dict[str, Any] = client.request(method, path, json=body).raise_for_status().json()
            return answer

        source = ok("PUT", "/api/v1/sources/org1/mail", {"source": {}})["source"]
        ok("PUT", DATASET, {"dataset": {"source_ids": [source["id"]]}})
        ok("PUT", f"{DATASET}/triggers", {"trigger": {"name": "dispute"}})
        ok("POST", "/api/v1/sources/org1/mail/sync", {"comments": mails(5)})
        page = ok("POST", FETCH, {"size": 5})
        ok(
            "POST",
            "/_sandbox/faults",
            [{"op": "advance", "kind": "drop", "after": True}, {"op": "fetch", "kind": "cut_body"}],
        )
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post(ADVANCE, json={"sequence_id": page["results"][1]["sequence_id"]})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            client.post(FETCH, json={"size": 5})
        ok("POST", "/_sandbox/faults", {"op": "fetch", "kind": "drop"})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post(FETCH, json={"size": 5})
        assert ok("POST", FETCH, {"size": 5})["results"] == page["results"][2:]
        events = client.get("/_sandbox/log").json()["events"]
        assert [(event["op"], event["status"], event["done"]) for event in events[1:4]] == [
            ("advance", None, True),
            ("fetch", 200, True),
            ("fetch", None, False),
        ]
    sandbox.kill()
    sandbox.restart()
    again = httpx.post(sandbox.url + FETCH, json={"size": 5}, headers=headers)
    assert again.json()["results"] == page["results"][2:]
