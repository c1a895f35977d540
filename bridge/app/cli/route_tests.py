"""Runs the cases of `bridge test` through the decision the service takes, and says what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from bridge.adapters.platform.wire import decode_result
from bridge.app.cli.cases import Case
from bridge.domain.decide import Decision, decide
from bridge.domain.errors import StopTrigger
from bridge.domain.explain import explain
from bridge.domain.model import Batch, Generation, Result, SequenceId, Undecodable
from bridge.domain.spoken import flip_sentence

GENERATION = Generation(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something expected and not there, or there and not expected; `note` says why."""

    what: str
    name: str
    expected: bool
    note: str = ""

    @override
    def __str__(self) -> str:
        return f"  {'-' if self.expected else '+'} {self.what} {self.name}" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case."""

    case: Case
    differences: tuple[Difference, ...]
    stopped: str = ""

    @property
    def passed(self) -> bool:
        """Everything is as expected."""
        return not self.differences and not self.stopped

    def lines(self) -> Iterator[str]:
        """For people; `-` was expected and is not there, `+` is there and was not expected."""
        yield f"{self.case.file}:{self.case.line}: FAILED {self.case.name} ({self.case.plan.name})"
        if self.stopped:
            yield f"  the trigger would stop: {self.stopped}"
        yield from map(str, self.differences)

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "name": self.case.name,
            "file": self.case.file,
            "line": self.case.line,
            "trigger": self.case.plan.name,
            "passed": self.passed,
            "stopped": self.stopped,
            "differences": [
                {"what": each.what, "name": each.name, "expected": each.expected, "note": each.note}
                for each in self.differences
            ],
        }


def default_cases(config: Path) -> Path:
    """Where the cases of a configuration are looked for first."""
    return config.with_suffix(".tests.yaml")


def cases_beside(config: Path) -> Path | None:
    """The cases of a configuration, where there are some."""
    candidates = (
        default_cases(config),
        config.with_name(f"{config.name}.tests.yaml"),
        config.with_name("bridge.tests.yaml"),
    )
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def run_case(case: Case) -> Outcome:
    """Decide the result of a case as the service would."""
    result = decode_result(case.result)
    batch = Batch(results=[result], sequence_id=SequenceId(""), filtered=0, is_end=True, size_asked=1)
    try:
        decision = decide(batch, case.plan, GENERATION, {}, "")
    except StopTrigger as error:
        return Outcome(case=case, differences=(), stopped=str(error))
    return Outcome(case=case, differences=tuple(_differences(case, result, decision)))


def _differences(case: Case, result: Result | Undecodable, decision: Decision) -> Iterator[Difference]:
    deliveries = decision.deliveries
    reached = {each.topic: f"by the route {each.route}" for each in deliveries}
    wanted = _wanted(case, result)
    yield from _differing("topic", case.topics, [each.topic for each in deliveries], wanted, reached)
    if case.routes is not None:
        yield from _differing("route", case.routes, [each.route for each in deliveries], wanted, {})
    if case.shadow is not None:
        yield from _differing("shadow route", case.shadow, list(decision.shadowed), wanted, {})
    if case.key is not None:
        keys = {"none" if each.key is None else each.key.decode("utf-8", "replace") for each in deliveries}
        yield from _differing("key", [case.key], sorted(keys), {}, {})


def _differing(
    what: str, expected: Sequence[str], found: Sequence[str], missing: dict[str, str], surplus: dict[str, str]
) -> Iterator[Difference]:
    """Counted: two records on one topic are two."""
    for name in (Counter(expected) - Counter(found)).elements():
        yield Difference(what=what, name=name, expected=True, note=missing.get(name, ""))
    for name in (Counter(found) - Counter(expected)).elements():
        yield Difference(what=what, name=name, expected=False, note=surplus.get(name, ""))


def _wanted(case: Case, result: Result | Undecodable) -> dict[str, str]:
    """By topic and by route: what it would take to get there."""
    if isinstance(result, Undecodable):
        return {}
    said: dict[str, str] = {}
    for each in explain(case.plan.rules, result).routes:
        if each.taken is None:
            needs = "an earlier route came first" if each.why.holds else f"needs {flip_sentence(each.why.flip)}"
            for name in (each.route.name, each.route.topic):
                said.setdefault(name, f"{each.route.name} {needs}" if name == each.route.topic else needs)
    return said


def report_as_text(file: Path, outcomes: Sequence[Outcome]) -> str:
    """The failures, and a line that counts."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    lines = [line for outcome in failed for line in outcome.lines()]
    return "\n".join([*lines, f"{file}: {len(outcomes) - len(failed)} passed, {len(failed)} failed"])


def report_as_json(outcomes: Iterable[Outcome]) -> dict[str, object]:
    """Every case."""
    cases = [outcome.as_json() for outcome in outcomes]
    passed = sum(case["passed"] is True for case in cases)
    return {"passed": passed, "failed": len(cases) - passed, "cases": cases}
