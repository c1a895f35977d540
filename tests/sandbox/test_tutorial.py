"""The whole tutorial of the documents, walked over a socket by a client written from the documents alone.

It shares nothing with the bridge's client or with the other tests' driver, so that a misreading of the API would have
to be made twice to go unseen.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "tutorial-token"
DISPUTED = ("The invoice is wrong, we dispute the amount", "We dispute this charge, the amount is not right")
LATE = ("Processing is running late today", "The figures are delayed, everything runs late")


@pytest.fixture(params=["2020", "today"])
def api(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A server process on a free port, and a plain HTTP client with nothing but the token."""
    command = [sys.executable, "-m", "bridge.sandbox", "--db", str(tmp_path / "db.sqlite"), "--profile", request.param]
    environment = {**os.environ, "SANDBOX_TOKEN": TOKEN}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert server.stdout is not None
        base = json.loads(server.stdout.readline())["url"]
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)
        if server.stdout is not None:
            server.stdout.close()


def call(api: httpx.Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    response = api.request(method, path, json=body)
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, response.text
    assert answer.pop("status") == "ok"
    return answer


def message(text: str, subject: str = "Today") -> dict[str, Any]:
    return {
        "from": "alice@company.com",
        "to": ["bob@organisation.org"],
        "sent_at": "2011-12-11T11:02:03.000000+00:00",
        "subject": {"text": subject},
        "body": {"text": text},
    }


def uploads() -> list[dict[str, Any]]:
    """24 comments in hexadecimal ids, disputes and delays by turns, with user properties to filter by."""
    return [
        {
            "id": f"{index:08x}",
            "timestamp": "2011-12-11T01:02:03.000000+00:00",
            "messages": [message(f"{(DISPUTED, LATE)[index % 2][index // 2 % 2]} ({index})")],
            "user_properties": {"string:Country": ("uk", "fr")[index // 4 % 2], "number:Spend": 10 * index},
        }
        for index in range(24)
    ]


def the_sources(api: httpx.Client) -> dict[str, Any]:
    """Create, list, get three ways, update; one more is made and deleted."""
    wanted = {"title": "An Example Source", "description": "For the tutorial."}
    source: dict[str, Any] = call(api, "PUT", "/api/v1/sources/acme/example", {"source": wanted})["source"]
    assert (source["owner"], source["name"], source["title"]) == ("acme", "example", "An Example Source")
    assert (source["language"], source["should_translate"], source["sensitive_properties"]) == ("en", False, [])
    for path in ("/api/v1/sources", "/api/v1/sources/acme"):
        assert call(api, "GET", path)["sources"] == [source]
    for path in ("/api/v1/sources/acme/example", f"/api/v1/sources/id:{source['id']}"):
        assert call(api, "GET", path)["source"] == source
    changed = call(api, "POST", "/api/v1/sources/acme/example", {"source": {"description": "Another."}})["source"]
    assert (changed["description"], changed["title"]) == ("Another.", source["title"])
    assert changed["updated_at"] == changed["last_modified"] > source["updated_at"]
    spare = call(api, "PUT", "/api/v1/sources/acme/spare", {"source": {}})["source"]
    call(api, "DELETE", f"/api/v1/sources/id:{spare['id']}")
    assert [each["name"] for each in call(api, "GET", "/api/v1/sources/acme")["sources"]] == ["example"]
    return source


def the_comments(api: httpx.Client, source: dict[str, Any]) -> None:
    """Upload, upload again, get, delete, upload as a raw email."""
    path = "/api/v1/sources/acme/example"
    answer = call(api, "POST", f"{path}/sync", {"comments": uploads()})
    assert (answer["new"], answer["unchanged"], answer["updated"]) == (24, 0, 0)
    answer = call(api, "POST", f"{path}/sync", {"comments": uploads()[:2]})
    assert (answer["new"], answer["unchanged"], answer["updated"]) == (0, 2, 0)
    comment = call(api, "GET", f"{path}/comments/00000000")["comment"]
    assert (comment["uid"], comment["source_id"]) == (f"{source['id']}.00000000", source["id"])
    assert comment["user_properties"] == {"string:Country": "uk", "number:Spend": 0}
    email = {
        "headers": {
            "parsed": {
                "Date": "Thu, 09 Jan 2020 16:34:45 +0000",
                "From": "alice@company.com",
                "To": "bob@organisation.org",
                "Message-ID": "abcdef@company.com",
                "Subject": "Figures Request",
            }
        },
        "body": {"html": "<p>We dispute the amount.</p><p>Thanks,<br>Alice</p>"},
    }
    body = {"documents": [{"raw_email": email}], "transform_tag": "name.0.ABCD1234", "include_comments": True}
    (kept,) = call(api, "POST", f"{path}/sync-raw-emails", body)["comments"]
    assert kept["id"] == "61626364656640636f6d70616e792e636f6d"
    assert kept["messages"][0]["signature"]["text"] == "Thanks,\nAlice"
    call(api, "DELETE", f"{path}/comments?ids={kept['id']}")
    assert api.get(f"{path}/comments/{kept['id']}").status_code == 404


def the_dataset(api: httpx.Client, source: dict[str, Any]) -> dict[str, Any]:
    wanted = {"title": "An Example Dataset", "source_ids": [source["id"]], "entity_kinds": ["email"]}
    dataset: dict[str, Any] = call(api, "PUT", "/api/v1/datasets/acme/mine", {"dataset": wanted})["dataset"]
    assert (dataset["model_family"], dataset["has_sentiment"]) == ("english", True)
    assert dataset["created"] == dataset["last_modified"]
    assert call(api, "GET", "/api/v1/datasets")["datasets"] == [dataset]
    assert call(api, "GET", "/api/v1/datasets/acme")["datasets"] == [dataset]
    changed: dict[str, Any] = call(api, "POST", "/api/v1/datasets/acme/mine", {"dataset": {"title": "Mine"}})["dataset"]
    assert changed["title"] == "Mine"
    assert call(api, "GET", "/api/v1/datasets/acme/mine")["dataset"] == changed
    return changed


def a_pinned_version(api: httpx.Client, source: dict[str, Any]) -> int:
    """Labels on every comment; training and pinning are done in the platform's pages, here by the sandbox's routes."""
    labels = ({"name": ["Dispute", "Amount"]}, {"name": ["Delay"]})
    annotations = [{"comment_uid": f"{source['id']}.{index:08x}", "labels": [labels[index % 2]]} for index in range(24)]
    call(api, "POST", "/api/v1/datasets/acme/mine/sync-annotations", {"annotations": annotations})
    version = int(call(api, "POST", "/_sandbox/datasets/acme/mine/train")["model"]["version"])
    call(api, "POST", f"/_sandbox/datasets/acme/mine/models/{version}/pin")
    return version


def the_predictions(api: httpx.Client, source: dict[str, Any], version: int) -> None:
    """Three ways, with a threshold of its own for a label; the pinned version says the same for ever."""
    path = f"/api/v1/datasets/acme/mine/labellers/{version}"
    documents = [{"messages": [message("We dispute the amount, write to carol@company.com")]}, {"messages": []}]
    asked = {"labels": [{"name": ["Dispute", "Amount"], "threshold": 0.5}, {"name": ["Delay"]}], "threshold": 0.999}
    answer = call(api, "POST", f"{path}/predict", {"documents": documents, **asked})
    assert answer["model"]["version"] == version
    assert [[label["name"] for label in found] for found in answer["predictions"]] == [[["Dispute", "Amount"]], []]
    assert [[entity["formatted_value"] for entity in found] for found in answer["entities"]] == [
        ["carol@company.com"],
        [],
    ]
    span = answer["entities"][0][0]["span"]
    body = "We dispute the amount, write to carol@company.com".encode("utf-16-le")
    assert body[span["utf16_byte_start"] : span["utf16_byte_end"]].decode("utf-16-le") == "carol@company.com"
    assert call(api, "POST", f"{path}/predict", {"documents": documents, **asked}) == answer
    uids = [f"{source['id']}.00000001", f"{source['id']}.00000000"]
    by_uid = call(api, "POST", f"{path}/predict-comments", {"uids": uids, "threshold": 0.5})["predictions"]
    assert [(each["uid"], each["labels"][0]["name"][0]) for each in by_uid] == [
        (uids[0], "Delay"),
        (uids[1], "Dispute"),
    ]
    email = {"headers": {"raw": "From: a@b.org\nSubject: Late"}, "body": {"plain": "Processing is running late today"}}
    raw = {"documents": [{"raw_email": email}], "transform_tag": "name.0.ABCD1234", "threshold": 0.5}
    found = call(api, "POST", f"{path}/predict-raw-emails", raw)["predictions"]
    assert [[label["name"] for label in labels] for labels in found] == [[["Delay"]]]


def the_trigger(api: httpx.Client, version: int) -> None:
    """Create, get, fetch to the end and advance; reset to a moment and read it all again; delete."""
    base = "/api/v1/datasets/acme/mine/triggers"
    wanted = {
        "name": "dispute",
        "model": {"version": version, "label_thresholds": [{"name": ["Dispute", "Amount"], "threshold": 0.5}]},
        "comment_filter": {"user_properties": {"string:Country": {"one_of": ["uk", "de"]}}},
    }
    trigger = call(api, "PUT", base, {"trigger": wanted})["trigger"]
    assert call(api, "GET", f"{base}/dispute")["trigger"] == trigger
    first = walked(api, f"{base}/dispute")
    assert [index for index in range(24) if index // 4 % 2 == 0] == sorted(
        int(result["comment"]["id"], 16) for result in first
    )
    for result in first:
        disputed = int(result["comment"]["id"], 16) % 2 == 0
        assert [label["name"] for label in result["labels"]] == ([["Dispute", "Amount"]] if disputed else [])
    assert call(api, "POST", f"{base}/dispute/fetch", {"size": 8})["results"] == []
    created_at = min(result["comment"]["created_at"] for result in first)
    reset = call(api, "POST", f"{base}/dispute/reset", {"to_comment_created_at": created_at})
    assert reset["trigger"] == trigger
    assert isinstance(reset["sequence_id"], str)
    assert walked(api, f"{base}/dispute") == first
    call(api, "DELETE", f"{base}/dispute")
    assert api.get(f"{base}/dispute").status_code == 404


def walked(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    """All results of the trigger, each batch fetched twice before it is acknowledged."""
    results: list[dict[str, Any]] = []
    while True:
        batch = call(api, "POST", f"{path}/fetch", {"size": 5})
        assert call(api, "POST", f"{path}/fetch", {"size": 5}) == batch
        if not batch["results"] and not batch["filtered"]:
            return results
        assert len(batch["results"]) + batch["filtered"] <= 5
        results += batch["results"]
        advanced = call(api, "POST", f"{path}/advance", {"sequence_id": batch["sequence_id"]})
        assert advanced == {"sequence_id": batch["sequence_id"]}


def test_the_tutorial_can_be_walked_from_its_first_call_to_its_last(api: httpx.Client) -> None:
    lost = api.get("/api/v1/nonexistent_page")
    assert (lost.status_code, lost.json()) == (404, {"status": "error", "message": "404 Not Found"})
    assert api.get("/api/v1/sources", headers={"Authorization": "Bearer other"}).status_code == 401
    source = the_sources(api)
    the_comments(api, source)
    the_dataset(api, source)
    version = a_pinned_version(api, source)
    the_predictions(api, source, version)
    the_trigger(api, version)
    call(api, "DELETE", "/api/v1/datasets/acme/mine")
    assert call(api, "GET", "/api/v1/datasets")["datasets"] == []
    call(api, "DELETE", f"/api/v1/sources/id:{source['id']}")
    assert call(api, "GET", "/api/v1/sources")["sources"] == []
