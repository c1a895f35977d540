"""`python -m bridge.sandbox` as a process: what it prints, how it stops, what it refuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from bridge.sandbox.__main__ import main
from tests.sandbox.driver import SOURCE


def start(db: Path, *more: str, token: str = "secret") -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "bridge.sandbox", "--db", str(db), *more],
        stdout=subprocess.PIPE,
        text=True,
        env={"SANDBOX_TOKEN": token, "PATH": ""},
    )
    assert process.stdout is not None
    facts: dict[str, str] = json.loads(process.stdout.readline())
    return process, facts


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=20)
    assert process.stdout is not None
    process.stdout.close()
    return code


def test_it_says_where_it_listens_serves_and_stops_with_zero(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"viewer": ["View sources"]}')
    process, facts = start(
        tmp_path / "p.sqlite", "--profile", "2020", "--prefix", "/acme/prod/reinfer_", "--tokens", str(tokens)
    )
    assert facts["profile"] == "2020"
    assert facts["db"] == str(tmp_path / "p.sqlite")
    assert facts["url"].endswith("/acme/prod/reinfer_")
    with httpx.Client(base_url=facts["url"]) as client:
        for token, status in (("secret", 200), ("viewer", 403), ("sandbox", 401)):
            headers = {"authorization": f"Bearer {token}"}
            answer = client.put(SOURCE + token, json={"source": {}}, headers=headers)
            assert answer.status_code == status
        # The open keep-alive connection must not hold up the end.
        assert stop(process) == 0


def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    headers = {"authorization": "Bearer secret"}
    process, facts = start(tmp_path / "p.sqlite")
    made = httpx.put(facts["url"] + SOURCE, json={"source": {}}, headers=headers).json()["source"]
    process.kill()
    process.wait(timeout=20)
    assert process.stdout is not None
    process.stdout.close()
    process, facts = start(tmp_path / "p.sqlite")
    assert httpx.get(facts["url"] + SOURCE, headers=headers).json()["source"] == made
    assert stop(process) == 0


def test_bad_usage_is_exit_code_2(tmp_path: Path) -> None:
    bad = tmp_path / "tokens.json"
    bad.write_text('{"viewer": ["Fly"]}')
    assert main(["--db", str(tmp_path / "x.sqlite"), "--tokens", str(bad)]) == 2
    assert main(["--db", str(tmp_path / "none" / "x.sqlite")]) == 2
