"""What operators read about a routing: golden text, and the promise that a named flip really flips."""

from __future__ import annotations

import json
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.explain import explain, explanation_as_json, explanation_as_text
from bridge.domain.flip import Change, Relation
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    MatchMode,
    Not,
    Route,
    RuleSet,
    UserPropertyHolds,
)
from bridge.domain.spoken import flip_sentence
from tests.unit.rules.results import (
    FakeComment,
    FakeEntity,
    FakePrediction,
    FakeResult,
    a_label,
    a_result,
    conditions,
    results,
)

URGENT = AllOf(
    (
        a_label("Trade > Settlement", 0.8),
        Not(a_label("Spam", 0.5)),
        EntityPresent("monetary-quantity"),
        UserPropertyHolds(name="string:Country", one_of=("uk", "de")),
    )
)
DISPUTES = RuleSet(
    [
        Route(name="urgent", topic="rpa.disputes.urgent", when=URGENT),
        Route(name="trades", topic="rpa.trades", when=a_label("Trade > *", 0.6)),
        Route(name="large", topic="rpa.large", when=UserPropertyHolds(name="number:Amount", minimum=15_000)),
        Route(
            name="next", topic="rpa.next", when=AnyOf((a_label("Delay", 0.4), a_label("Fees", 0.25, 0.75))), shadow=True
        ),
        Route(name="rest", topic="rpa.rest", when=Always()),
    ]
)
MAIL = FakeResult(
    labels=[
        FakePrediction(("Trade", "Settlement"), 0.73, -0.2),
        FakePrediction(("Trade", "Fees"), 0.2, 0.1),
        FakePrediction(("Fees",), 0.9, 0.1),
    ],
    entities=[FakeEntity(kind="monetary-quantity"), FakeEntity(kind="date")],
    comment=FakeComment(uid="0123456789abcdef.61", user_properties={"string:Country": "fr", "number:Amount": 12000.0}),
)

GOLDEN = """\
0123456789abcdef.61 goes to trades (rpa.trades), rest (rpa.rest)
  does not hold: urgent -> rpa.disputes.urgent
    - all: 2 of 4 fail
      - label Trade > Settlement 0.73, needs 0.80: 0.07 short
      + not
        - label Spam not predicted, needs 0.50
      + entity monetary-quantity present
      - user property string:Country is fr, needs uk or de
    to hold: label Trade > Settlement 0.07 higher (at 0.8) and user property string:Country being uk or de
  holds: trades -> rpa.trades
    + label Trade > *: Trade > Settlement 0.73, needs 0.60: 0.13 to spare (and 1 more)
    to stop: label Trade > Settlement more than 0.13 lower (under 0.6)
  does not hold: large -> rpa.large
    - user property number:Amount is 12000, needs at least 15000: 3000 short
    to hold: user property number:Amount 3000 higher (at 15000)
  does not hold: next -> rpa.next, shadow
    - any: 0 of 2 hold
      - label Delay not predicted, needs 0.40
      - label Fees 0.90, needs 0.25 to 0.75: 0.15 over
    to hold: label Fees 0.15 lower (at 0.75)
  holds: rest -> rpa.rest
    + always"""


def test_the_text_says_what_each_part_saw_and_what_is_missing() -> None:
    assert explanation_as_text(explain(DISPUTES, MAIL)) == GOLDEN


def test_a_result_no_route_takes_is_said_to_be_unmatched() -> None:
    explanation = explain(
        RuleSet([Route(name="a", topic="t", when=a_label("A", 0.5), shadow=True)]), a_result({"A": 0.5})
    )
    assert explanation.is_unmatched
    assert explanation_as_text(explanation).splitlines()[0] == "0123456789abcdef.61 goes to no route: unmatched"


def test_with_first_a_later_route_is_said_to_come_too_late() -> None:
    both = [Route(name=name, topic=name, when=a_label("A", 0.5)) for name in ("one", "two")]
    text = explanation_as_text(explain(RuleSet(both, MatchMode.FIRST), a_result({"A": 0.5})))
    assert "  holds: one -> one" in text
    assert "  holds, but an earlier route came first: two -> two" in text


def line(condition: Condition, result: FakeResult) -> str:
    text = explanation_as_text(explain(RuleSet([Route(name="r", topic="t", when=condition)]), result))
    return text.splitlines()[2].strip()


def test_nothing_is_rounded_onto_its_threshold() -> None:
    assert (
        line(a_label("A", 0.8), a_result({"A": 0.7999999})) == "- label A 0.7999999, needs 0.8000000: 0.0000001 short"
    )
    assert line(a_label("A", 0.8), a_result({"A": 0.8})) == "+ label A 0.80, needs 0.80: 0.00 to spare"
    assert line(a_label("A", 0.805), a_result({"A": 0.9})) == "+ label A 0.900, needs 0.805: 0.095 to spare"


def test_odd_values_are_named_and_not_measured() -> None:
    assert line(a_label("A", 0.8), a_result({"A": nan})) == "- label A nan, which is no number"
    sentiment = a_label("A", sentiment_min=0.2)
    assert line(sentiment, a_result({"A": 0.9})) == "- label A 0.90; sentiment missing, needs at least 0.20"
    glad = FakeResult(labels=[FakePrediction(("A",), 0.9, 0.5)])
    assert line(sentiment, glad) == "+ label A 0.90; sentiment 0.50, needs at least 0.20: 0.30 to spare"
    amount = UserPropertyHolds(name="n", minimum=1)
    assert line(amount, a_result(n="two")) == "- user property n is two, needs at least 1"
    assert line(amount, a_result(n=10**400)).endswith("needs at least 1")
    assert line(amount, a_result()) == "- user property n missing, needs at least 1"
    assert line(UserPropertyHolds(name="string:s"), a_result()) == "- user property string:s missing"
    assert line(EntityPresent("date"), a_result(entities=["money"])) == "- entity date not found among money"


def test_the_json_holds_the_same_and_can_always_be_written() -> None:
    spoken = explanation_as_json(explain(DISPUTES, MAIL))
    assert json.loads(json.dumps(spoken, allow_nan=False)) == spoken
    assert spoken["topics"] == ["rpa.trades", "rpa.rest"]
    urgent = spoken["routes"][0]  # type: ignore[index]
    assert urgent["why"]["flip_text"].startswith("label Trade > Settlement 0.07 higher")
    assert urgent["why"]["parts"][0] == {
        "condition": "label",
        "text": "label Trade > Settlement 0.73, needs 0.80: 0.07 short",
        "holds": False,
        "seen": [
            {
                "label": ["Trade", "Settlement"],
                "text": "Trade > Settlement",
                "probability": 0.73,
                "sentiment": -0.2,
                "satisfies": False,
            }
        ],
        "flip": [{"subject": "label Trade > Settlement", "relation": "at_least", "bound": 0.8, "by": 0.8 - 0.73}],
        "flip_text": "label Trade > Settlement 0.07 higher (at 0.8)",
    }


@given(st.lists(conditions, max_size=4), st.sampled_from(MatchMode), results)
def test_an_explanation_says_what_the_rules_do(rules: list[Condition], mode: MatchMode, result: FakeResult) -> None:
    routes = [Route(name=f"r{n}", topic=f"t{n}", when=when, shadow=n == 1) for n, when in enumerate(rules)]
    rule_set = RuleSet(routes, mode)
    explanation = explain(rule_set, result)
    assert explanation.matches == rule_set.matches(result)
    for each in explanation.routes:
        alone = RuleSet([each.route]).matches(result)
        assert each.why.holds is bool(alone)
    json.dumps(explanation_as_json(explanation), allow_nan=False)
    assert explanation_as_text(explanation)


def test_every_relation_has_words() -> None:
    for relation in Relation:
        assert flip_sentence((Change(subject="label A", relation=relation, bound=0.5, by=0.1),)).startswith("label A ")
