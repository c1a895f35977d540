"""audit, redrive and whatif as an operator sees them; what they find is put in their hands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.app.audit import AuditOutcome
from bridge.app.cli import app_for, audit, redrive, whatif
from bridge.app.cli.exits import Exit
from bridge.app.whatif import Moved, TriggerWhatif, WhatifOutcome
from bridge.domain.audit_report import Audited, Cause, Fault, FaultKind
from bridge.domain.owed import PlatformFound, Untold
from bridge.domain.redrive import Fate, Redriven, RedriveReport
from bridge.domain.whatif import Change, Way
from tests.unit.config.files import GOOD, written

DEAD = "rpa.dead"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINFER_TOKEN", "t")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, GOOD)


def run(*arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app_for(words), words, prog_name="bridge")


def gives(found: object) -> Callable[..., Any]:
    async def answer(*_: object) -> object:
        return found

    return answer


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("audit", "-t", "dispute"), "no trigger dispute, did you mean disputes?"),
        (("audit", "--since", "yesterday"), "neither an instant such as"),
        (("redrive",), "name the dead letters"),
        (("redrive", "--topic", "rpa.nobody"), "no trigger of the configuration sends dead letters to rpa.nobody"),
        (("whatif", "--since", "soon"), "neither an instant such as"),
    ],
)
def test_bad_usage_is_told_in_a_sentence(config: Path, words: tuple[str, ...], sentence: str) -> None:
    result = run(words[0], "-c", config, *words[1:])
    assert result.exit_code == Exit.USAGE
    assert sentence in result.stderr


def an_audit(audited: Audited) -> AuditOutcome:
    return AuditOutcome(
        audited=[audited],
        topics=["rpa.a"],
        records=7,
        others=2,
        hidden={"rpa.a/0": 3},
        missing=["rpa.b"],
        repaired={"disputes": 5},
    )


def test_an_audit_that_is_fine(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audited = Audited(trigger="disputes", identity="o/d/t", generation=0, is_current=True, records=7, results=6)
    audited.duplicates = Counter({Cause.OTHER_PRODUCER: 1})
    audited.newest_created_at = "2026-01-05T09:00:00Z"
    monkeypatch.setattr(audit, "audit", gives(an_audit(audited)))
    result = run("audit", "-c", config)
    assert result.exit_code == Exit.FINE
    assert result.stdout.splitlines() == [
        "disputes, generation 0, current: fine",
        "  6 results in 7 records, 0 of them dead letters",
        "  lost: not to be told from the topics: no position record of this time is kept",
        "  duplicates: 1",
        "            1  another producer wrote the copy: the one before was given up in doubt, or its process ended",
        "  out of order: 0",
        "  complete up to: not to be told without position records;"
        " the youngest comment on the topics was uploaded at 2026-01-05T09:00:00Z",
        "read 7 records of 1 topics, 2 others",
        "not judged: 3 offsets of rpa.a/0 hide behind a transaction that stays open",
        "not there: rpa.b",
        "disputes: 5 marks written to Redis",
        "verdict: fine",
    ]


def test_an_audit_that_is_not(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audited = Audited(trigger="disputes", identity="o/d/t", generation=1, lost=2, positions=4, out_of_order=1)
    audited.note(Fault(FaultKind.LOST, "batches a to b", "2 of the 9 records promised for route urgent are not there"))
    monkeypatch.setattr(audit, "audit", gives(an_audit(audited)))
    assert "verdict: NOT fine" in run("audit", "-c", config).stdout
    result = run("audit", "-c", config, "--json")
    assert result.exit_code == Exit.FAILED
    found = json.loads(result.stdout)
    assert (found["fine"], found["triggers"][0]["lost"], found["triggers"][0]["samples"][0]["kind"]) == (
        False,
        2,
        "lost",
    )


def test_what_the_platform_has_and_the_topics_have_not_is_in_the_verdict(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited = Audited(trigger="disputes", identity="o/d/t", generation=0, is_current=True)
    audited.platform = PlatformFound(comments=1200, carried=1190, waiting=4, not_owed=1, lost=2, lost_uids=["s.1"])
    audited.platform.untold[Untold.FILTER] = 3
    audited.platform.sources_unseen = 1
    monkeypatch.setattr(audit, "audit", gives(an_audit(audited)))
    result = run("audit", "-c", config, "--platform")
    assert result.exit_code == Exit.FAILED
    assert result.stdout.splitlines()[6:12] == [
        "  of 1,200 comments of the platform: 1,190 carried, 4 waiting, 1 for no route, 2 lost, 3 not to be told",
        "            3  not to be told: the trigger has a comment filter that only the platform can decide",
        "    lost: s.1",
        "    and 1 more",
        "    not judged: 1 sources of the dataset that the token may not see",
        "read 7 records of 1 topics, 2 others",
    ]
    found = json.loads(run("audit", "-c", config, "--platform", "--json").stdout)
    platform = found["triggers"][0]["platform"]
    assert (platform["lost"], platform["lost_uids"], platform["not_to_be_told"]) == (2, ["s.1"], {"comment_filter": 3})
    assert set(audit.REASONS) == set(Untold)


def test_a_redrive_says_what_became_of_each(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = (
        Redriven(dead_letter="rpa.dead/0/1", uid="s.1", fate=Fate.REDRIVEN, topics=("rpa.a",)),
        Redriven(dead_letter="rpa.dead/0/2", uid="s.2", fate=Fate.STILL_DEAD, reason="too_large"),
    )
    report = RedriveReport(trigger="disputes", items=items, is_whole=False, stopped_by="unreachable", unmarked=1)
    monkeypatch.setattr(redrive, "_redriven", gives([report]))
    result = run("redrive", "-c", config, "--topic", DEAD)
    assert result.exit_code == Exit.FAILED
    assert result.stdout.splitlines() == [
        "disputes: 2 dead letters",
        "        1  sent to their topics",
        "        1  fail again and stay where they are",
        "    rpa.dead/0/2  s.2  still_dead: too_large",
        "  1 records are acked and not marked: Redis did not answer",
        "  stopped by: unreachable",
        "  more are left: run it again",
    ]
    found = json.loads(run("redrive", "-c", config, "-t", "disputes", "--json", "--dry-run").stdout)
    assert (found["dry_run"], found["triggers"][0]["fates"]) == (True, {"redriven": 1, "still_dead": 1})


def test_a_whatif_says_what_moves_and_what_it_cannot_see(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way("urgent", "rpa.a")
    moved = Moved(uid="s.1", place="rpa.a/0/1", before=[way], after=[], why=["- urgent -> rpa.a: label Trade 0.6"])
    change = Change(way, before=2, after=1, lost=1, probabilities_before=[0.6, 0.8], probabilities_after=[0.8])
    found = TriggerWhatif(name="disputes", results=2, moved=1, changes=[change], samples=[moved], sees_unmatched=False)
    outcome = WhatifOutcome(triggers=[found], topics=["rpa.a"], missing=["rpa.new"])
    monkeypatch.setattr(whatif, "whatif", gives(outcome))
    result = run("whatif", "-c", config, "--last", "10")
    assert result.exit_code == Exit.FINE
    assert result.stdout.splitlines() == [
        "disputes: 1 of 2 results would go elsewhere (50.0%)",
        "  urgent -> rpa.a         2 ->        1  +0 -1",
        "                   probability: mean 0.700, p10 0.620, p50 0.700, p90 0.780"
        " -> mean 0.800, p10 0.800, p50 0.800, p90 0.800",
        "  s.1 (rpa.a/0/1)",
        "    - urgent -> rpa.a: label Trade 0.6",
        "  note: what no rule took is on no topic here; what the new routes would take of that is unknown",
        "not there yet: rpa.new",
    ]
    as_json = json.loads(run("whatif", "-c", config, "--json").stdout)
    assert as_json["triggers"][0]["share_moved"] == 0.5
