"""`bridge demo` on the embedded pair: what it proves, how it ends, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bridge.app.demo.sample.mail import COMMENTS
from tests.e2e.demo_process import Demo, run

pytestmark = pytest.mark.timeout(200)

IN_TIME_S = 60.0
PROMISED_KEYS = {
    "comments",
    "published",
    "unmatched",
    "dead_letters",
    "skipped_duplicates",
    "lost",
    "broker",
    "elapsed_s",
}


def test_once_delivers_the_sample_in_time_and_says_so_in_one_object(tmp_path: Path) -> None:
    demo, ended = run(tmp_path, "--once", "--json")
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == 1, "progress goes to standard error"
    summary = ended.summary
    assert summary.keys() >= PROMISED_KEYS
    assert summary["comments"] == COMMENTS
    assert (summary["lost"], summary["copies"], summary["misplaced"]) == (0, 0, 0)
    assert summary["dead_letters"] >= 1, "the mail that is larger than a record"
    assert summary["published"]["demo.unrouted"] == summary["unmatched"] > 0
    assert all(count > 0 for count in summary["published"].values()), summary["published"]
    assert summary["shadowed"]["delays-next"] > 0
    assert summary["broker"].startswith("noida-db ")
    assert summary["elapsed_s"] < IN_TIME_S
    assert "Why it landed there" in ended.err
    assert demo.leftovers() == []


def test_every_comment_is_accounted_for(tmp_path: Path) -> None:
    """With one topic per label a comment has as many records as labels past the threshold, or one that says none."""
    rows = [
        {"comment": {"messages": [{"body": {"text": text}}]}, "labels": labels}
        for number in range(30)
        for text, labels in (
            (f"the card {number} is lost", [["Card", "Lost"]]),
            (f"a refund for order {number} please", [["Refund"]]),
            (f"lost my card {number} and want a refund", [["Refund"], ["Card", "Lost"]]),
            (f"good morning {number}", None),
        )
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _, ended = run(tmp_path, "--once", "--json", "--data", str(data))
    assert ended.code == 0, ended.err
    assert "all 90 with labels are used for training" in ended.err
    summary = ended.summary
    assert summary["comments"] == 120
    assert summary["annotated"] == 90
    assert set(summary["published"]) == {"demo.card.lost", "demo.refund", "demo.unrouted"}
    assert sum(summary["published"].values()) >= 120
    assert summary["lost"] == 0


def test_it_stays_up_to_be_played_with_and_ends_well_on_a_signal(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--comments", "60")
    demo.until("$EDITOR ")
    kept = next(path for path in tmp_path.iterdir() if path.name.startswith("bridge-demo-"))
    assert sorted(demo.children()) == ["bridge", "embedded", "platform"]
    page = next(line.split()[-1] for line in demo.shown.splitlines() if "its page is at" in line)
    assert "<title>bridge</title>" in shell(f"curl -sf {page}")
    play(demo)
    demo.signal(signal.SIGTERM)
    assert demo.ended().code == 0
    assert not kept.exists()
    assert demo.leftovers() == []


def play(demo: Demo) -> None:
    """Do what it offers, by the very commands that it shows."""
    offered = [line for line in demo.shown.splitlines() if line.startswith("curl ")]
    stands, hold, again, write = (line.replace("sleep 5; ", "").replace("curl ", "curl -sf ") for line in offered)
    standing = json.loads(shell(stands))
    assert (standing["results"], standing["generation"]) == (60, 0)
    shell(hold)
    reset = json.loads(shell(again))
    assert reset["generation"] in (None, 1)
    assert json.loads(shell(write))["new"] == 1
    end_s = time.monotonic() + 30
    while (standing := json.loads(shell(stands)))["generation"] < 1 or standing["results"] <= 61:
        assert time.monotonic() < end_s, standing
        time.sleep(0.1)


def shell(command: str) -> str:
    return subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.mark.parametrize(
    ("moment", "number"),
    [("made-up mails", signal.SIGTERM), ("noida-db", signal.SIGINT), ("Uploading", signal.SIGINT)],
)
def test_interrupted_at_any_step_it_leaves_nothing(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    demo = Demo(tmp_path, "--once", "--json")
    demo.until(moment)
    demo.signal(number)
    ended = demo.ended(30)
    assert ended.code == 1
    assert "interrupted" in ended.err
    assert ended.out == ""
    assert demo.leftovers() == []


@pytest.mark.parametrize("name", ["bridge", "embedded"])
def test_when_one_of_its_processes_dies_it_says_which_and_ends_the_others(tmp_path: Path, name: str) -> None:
    demo = Demo(tmp_path, "--comments", "60")
    demo.until("What to try next")
    os.kill(demo.children()[name], signal.SIGKILL)
    ended = demo.ended(60)
    assert ended.code == 1
    assert f"{name} ended with code -9" in ended.err
    assert demo.leftovers() == []


def test_a_given_kafka_that_does_not_answer_is_a_missing_neighbour(tmp_path: Path) -> None:
    demo, ended = run(tmp_path, "--once", "--json", "--kafka", "127.0.0.1:9", within_s=40)
    assert ended.code == 3
    assert "no Kafka answers at 127.0.0.1:9" in ended.err
    assert demo.leftovers() == []


def test_a_given_redis_that_does_not_answer_is_a_missing_neighbour(tmp_path: Path) -> None:
    demo, ended = run(tmp_path, "--once", "--json", "--redis", "redis://127.0.0.1:9/0", within_s=40)
    assert ended.code == 3
    assert "no Redis answers" in ended.err
    assert demo.leftovers() == []


def test_what_does_not_finish_in_time_is_a_failure_with_a_sentence(tmp_path: Path) -> None:
    demo, ended = run(tmp_path, "--once", "--json", "--timeout", "1", within_s=60)
    assert ended.code == 1
    assert "not finished within 1 s, while: " in ended.err
    assert demo.leftovers() == []


def test_bad_data_is_bad_usage_before_anything_is_started(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("{}\n", encoding="utf-8")
    _, ended = run(tmp_path, "--once", "--data", str(data), within_s=30)
    assert ended.code == 2
    assert f"{data}:1: " in ended.err


def test_the_platform_s_refusal_of_a_comment_is_bad_usage_too(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    row = {"comment": {"id": "has a blank", "messages": [{"body": {"text": "hello"}}]}, "labels": [["A"]]}
    data.write_text(json.dumps(row), encoding="utf-8")
    demo, ended = run(tmp_path, "--once", "--data", str(data), within_s=60)
    assert ended.code == 2
    assert "the platform refuses a comment" in ended.err
    assert demo.leftovers() == []
