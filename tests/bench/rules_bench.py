"""What a rule costs that cannot match: the same results against 10 and against 1,000 rules.

Prints one JSON object. Run it as `python -m tests.bench.rules_bench`. CPU time of this process; the two rule sets take
turns on the same results, so that a slow moment of the machine falls on both; the figure is the median of the ratios
of neighbouring turns.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence

from bridge.domain.rules import (
    AllOf,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    Not,
    Route,
    RuleSet,
    UserPropertyHolds,
)
from tests.unit.rules.results import FakeComment, FakeEntity, FakePrediction, FakeResult

FEW, MANY = 10, 1_000
RESULTS = 1_024
LABELS_PER_RESULT = 8
TURNS = 40

Shape = Callable[[int], Condition]

SHAPES: dict[str, Shape] = {
    "one label": lambda n: LabelHolds(("Desk", f"label {n}"), 0.6),
    "label and conditions": lambda n: AllOf(
        (
            LabelHolds(("Desk", f"label {n}"), 0.6),
            Not(LabelHolds(("Spam",), 0.5)),
            EntityPresent("monetary-quantity"),
            UserPropertyHolds(name="string:Country", one_of=("uk", "de")),
        )
    ),
    "either of two labels": lambda n: AnyOf(
        (LabelHolds(("Desk", f"label {n}"), 0.6), LabelHolds(("Desk", f"label {n}", "Late"), 0.3))
    ),
    "everything under a label": lambda n: LabelHolds(("Desk", f"label {n}", "**"), 0.6),
    "a leaf anywhere": lambda n: LabelHolds(("**", f"label {n}"), 0.6),
    "value of a user property": lambda n: UserPropertyHolds(name="string:Sender Domain", one_of=(f"{n}.example",)),
}


def main() -> None:
    some = _results(random.Random(20200601))
    report = {name: _measured(shape, some) for name, shape in SHAPES.items()}
    print(json.dumps({"results": RESULTS, "labels_per_result": LABELS_PER_RESULT, "turns": TURNS, "shapes": report}))


def _measured(shape: Shape, some: Sequence[FakeResult]) -> dict[str, float]:
    few, many = (_rule_set(shape, count) for count in (FEW, MANY))
    matches = sum(len(few.matches(result)) for result in some), sum(len(many.matches(result)) for result in some)
    assert 0 < matches[0] == matches[1], f"both rule sets must do the same work, not {matches}"
    gc.collect()
    gc.freeze()
    pairs = [(_cpu_s(few, some), _cpu_s(many, some)) for _ in range(TURNS)]
    return {
        "us_per_result_10_rules": _us(statistics.median(pair[0] for pair in pairs)),
        "us_per_result_1000_rules": _us(statistics.median(pair[1] for pair in pairs)),
        "ratio": round(statistics.median(many_s / few_s for few_s, many_s in pairs), 3),
        "ratio_worst_turn": round(max(many_s / few_s for few_s, many_s in pairs), 3),
        "matches_per_result": round(matches[0] / len(some), 2),
    }


def _rule_set(shape: Shape, count: int) -> RuleSet:
    """The rules that can match are the first ones; all others stand on labels that no result has."""
    return RuleSet([Route(name=f"r{number}", topic="t", when=shape(number)) for number in range(count)])


def _results(rng: random.Random) -> list[FakeResult]:
    return [_result(rng) for _ in range(RESULTS)]


def _result(rng: random.Random) -> FakeResult:
    numbers = rng.sample(range(FEW), 3)
    named = [("Desk", f"label {number}") for number in numbers]
    others = [("Mail", f"other {number}") for number in rng.sample(range(200), LABELS_PER_RESULT - len(named))]
    return FakeResult(
        labels=[FakePrediction(name, rng.random()) for name in named + others],
        entities=[FakeEntity(kind="monetary-quantity")] if rng.random() < 0.5 else [],
        comment=FakeComment(
            user_properties={
                "string:Country": rng.choice(["uk", "de", "fr"]),
                "string:Sender Domain": f"{rng.randrange(FEW)}.example",
                "number:Participants": float(rng.randrange(9)),
            }
        ),
    )


def _cpu_s(rules: RuleSet, some: Sequence[FakeResult]) -> float:
    begun = time.process_time()
    for result in some:
        rules.matches(result)
    return time.process_time() - begun


def _us(seconds: float) -> float:
    return round(seconds / RESULTS * 1e6, 2)


if __name__ == "__main__":
    main()
