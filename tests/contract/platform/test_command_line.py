"""`bridge platform` against a sandbox in a process of its own, as a person at a terminal or a script uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from bridge.adapters.platform.upload import mark_file
from bridge.app.cli import app_for
from bridge.app.cli.exits import Exit
from bridge.domain.errors import Blocked
from tests.contract.platform.test_workspace import comment
from tests.contract.source.worlds import SandboxOf

Say = Callable[..., Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxOf]:
    started = SandboxOf.start(tmp_path_factory.mktemp("cli"))
    yield started
    started.stop()


@pytest.fixture
def say(server: SandboxOf, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.setenv("REINFER_URL", server.url)
    monkeypatch.setenv("REINFER_TOKEN", "sandbox")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app_for(["platform"]), ["platform", *arguments])

    return run


def read(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == Exit.FINE, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_the_whole_way_from_a_source_to_a_prediction(say: Say, server: SandboxOf, tmp_path: Path) -> None:
    (source,) = read(say("sources", "create", "cli/mail", "--title", "Mail", "--json"))
    assert read(say("sources", "list", "--owner", "cli", "--json")) == read(say("sources", "get", "cli/mail", "--json"))
    file = tmp_path / "mail.jsonl"
    file.write_text("".join(json.dumps(comment(number)) + "\n" for number in range(20)))
    assert read(say("comments", "upload", str(file), "-s", "cli/mail", "--json")) == [
        {"new": 20, "updated": 0, "unchanged": 0}
    ]
    assert not mark_file(file).exists()
    assert json.loads(say("comments", "get", "0001", "-s", "cli/mail").stdout)["id"] == "0001"
    read(say("datasets", "create", "cli/labels", "--source", source["id"], "--entity", "number", "--json"))
    assert [each["name"] for each in read(say("datasets", "list", "--json"))] == ["labels"]
    teach(server, source["id"])
    (said,) = read(say("predict", "cli/labels", "0", "--text", "settlement failed 4711", "--threshold", "0", "--json"))
    assert {tuple(label["name"]) for label in said["labels"]} == {("Trade",), ("Trade", "Settlement"), ("Fee",)}
    shown = say(
        "predict", "cli/labels", "0", "--text", "settlement failed 4711", "--label", "Trade > Settlement"
    ).stdout
    assert "number: 4711" in shown
    uid = f"{source['id']}.0001"
    assert read(say("predict", "cli/labels", "0", "--uid", uid, "--label", "Fee", "--json"))[0]["uid"] == uid
    read(say("triggers", "create", "cli/labels", "t", "--version", "0", "--threshold", "Fee=0.5", "--json"))
    (trigger,) = read(say("triggers", "list", "cli/labels", "--json"))
    assert trigger["model"]["label_thresholds"] == [{"name": ["Fee"], "threshold": 0.5}]
    assert "version 0" in say("triggers", "list", "cli/labels").stdout
    for gone in (
        ("triggers", "delete", "cli/labels", "t"),
        ("comments", "delete", "0001", "0002", "-s", "cli/mail"),
        ("datasets", "delete", "cli/labels"),
        ("sources", "delete", "cli/mail"),
    ):
        assert say(*gone).exit_code == Exit.FINE
    assert read(say("sources", "list", "--owner", "cli", "--json")) == []


def teach(server: SandboxOf, source_id: str) -> None:
    labels = ([{"name": ["Trade", "Settlement"]}], [{"name": ["Fee"]}])
    annotations = [{"comment_uid": f"{source_id}.{number:04x}", "labels": labels[number % 2]} for number in range(20)]
    own = httpx.URL(server.url).copy_with(path="/")
    with httpx.Client(base_url=own, headers={"authorization": "Bearer sandbox"}, trust_env=False) as client:
        path = f"{httpx.URL(server.url).path.rstrip('/')}/api/v1/datasets/cli/labels/sync-annotations"
        client.post(path, json={"annotations": annotations}).raise_for_status()
        client.post("/_sandbox/datasets/cli/labels/train", timeout=60).raise_for_status()
        client.post("/_sandbox/datasets/cli/labels/models/0/pin").raise_for_status()


def test_a_table_in_a_pipe_is_not_cut(say: Say) -> None:
    read(say("sources", "create", "wide/" + "x" * 200, "--json"))
    assert "x" * 200 in say("sources", "list", "--owner", "wide").stdout


def test_what_the_platform_refuses_is_said_in_its_words(say: Say) -> None:
    refused = say("sources", "get", "cli/nowhere")
    assert isinstance(refused.exception, Blocked)
    assert "cli/nowhere not found" in str(refused.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "cli/labels", "0"),
        ("predict", "cli/labels", "0", "--text", "a", "--uid", "b"),
        ("triggers", "list", "labels"),
        ("triggers", "create", "cli/labels", "t", "--threshold", "Fee=0.5"),
        ("triggers", "create", "cli/labels", "t", "--version", "0", "--threshold", "Fee"),
    ],
)
def test_wrong_usage_ends_with_2(say: Say, arguments: tuple[str, ...]) -> None:
    assert say(*arguments).exit_code == Exit.USAGE


def test_without_a_token_nothing_is_asked(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REINFER_TOKEN")
    result = say("sources", "list")
    assert (result.exit_code, "REINFER_TOKEN" in result.output) == (Exit.USAGE, True)


def test_a_token_over_plain_http_to_another_machine_is_bad_usage(say: Say) -> None:
    result = say("sources", "list", "--url", "http://platform.example")
    assert (result.exit_code, "allow_insecure" in result.output) == (Exit.USAGE, True)
