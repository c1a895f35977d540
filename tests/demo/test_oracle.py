"""The demo's own reading of the rules: by hand here, and against the engine's compiled ones."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.app.config import load_config
from bridge.app.demo.configuration import Addresses, write_configuration
from bridge.app.demo.oracle import Place, Promised, holds, places
from bridge.app.demo.scenario import Scenario, When, in_words, label_scenario, sample_scenario
from bridge.domain.labels import spelled
from bridge.domain.model import Label
from tests.unit.rules.results import FakeComment, FakeResult, a_result

LABELS: tuple[Label, ...] = (
    ("Dispute",),
    ("Dispute", "Price"),
    ("Dispute", "Price", "Deep"),
    ("Settlement",),
    ("Settlement", "Failed"),
    ("Fees", "Refund"),
    ("Complaint", "Delay"),
    ("Urgent",),
    ("Spam",),
)


def promised(
    labels: dict[Label, float], entities: frozenset[str] = frozenset(), country: str | None = None, at: str = "s"
) -> Promised:
    properties = {} if country is None else {"string:Country": country}
    return Promised(
        sequence_id=at,
        uid=f"uid-{at}",
        created_at="",
        labels=tuple(labels.items()),
        entities=entities,
        user_properties=properties,
    )


@pytest.mark.parametrize(
    ("when", "held"),
    [
        ({"label": "Dispute > Price"}, True),
        ({"label": "Dispute > *", "min": 0.7}, True),
        ({"label": "Dispute > *", "min": 0.71}, False),
        ({"label": "Dispute > *", "max": 0.69}, False),
        ({"label": "*"}, True),
        ({"label": "**", "min": 0.9}, False),
        ({"label": ["Dispute", "Price"], "min": 0.5}, True),
        ({"label": "Dispute > Price > *"}, False),
        ({"label": "Dispute > Price > **"}, True),
        ({"entity": "date"}, True),
        ({"entity": "url"}, False),
        ({"user_property": "string:Country"}, True),
        ({"user_property": "string:Country", "one_of": ["uk"]}, False),
        ({"user_property": "string:City"}, False),
        ({"not": {"label": "Spam"}}, True),
        ({"all": []}, True),
        ({"all": [{"entity": "date"}, {"label": "Spam"}]}, False),
        ({"any": [{"entity": "url"}, {"label": "Dispute"}]}, True),
        ({"any": []}, False),
        ({"always": True}, True),
    ],
)
def test_conditions_hold_as_written(when: When, held: bool) -> None:
    result = promised({("Dispute",): 0.8, ("Dispute", "Price"): 0.7}, frozenset({"date"}), "de")
    assert holds(when, result) is held


def test_a_condition_it_does_not_know_is_no_silent_false() -> None:
    with pytest.raises(KeyError):
        holds({"labell": "Spam"}, promised({}))


def test_shadow_routes_have_no_place_and_the_unmatched_have_theirs() -> None:
    scenario = sample_scenario()
    both = promised({("Complaint", "Delay"): 0.45, ("Settlement",): 0.4}, at="shadow-only")
    assert list(places([both], scenario)) == [Place("shadow-only", "unmatched", scenario.unmatched_topic)]


def loaded(scenario: Scenario, directory: Path) -> Path:
    path = directory / "demo.yaml"
    at = Addresses(
        deployment="demo",
        platform="http://127.0.0.1:1",
        kafka="127.0.0.1:2",
        redis_url="redis://127.0.0.1:3/0",
        project="demo",
        dataset="back-office",
    )
    write_configuration(path, scenario, at)
    return path


def test_the_written_configurations_load_without_a_warning(tmp_path: Path) -> None:
    for scenario in (sample_scenario(), label_scenario([("Card arrival",), ("A", "B > C"), ("Überweisung",)])):
        settings = load_config(loaded(scenario, tmp_path), {"REINFER_TOKEN": "t"})
        assert not settings.warnings
        assert settings.triggers[0].topics == frozenset(scenario.topics)


RESULTS = st.builds(
    promised,
    st.dictionaries(st.sampled_from(LABELS), st.sampled_from([0.29, 0.3, 0.4, 0.49, 0.5, 0.6, 0.61, 0.7, 1.0])),
    st.frozensets(st.sampled_from(["date", "monetary-quantity"])),
    st.sampled_from([None, "uk", "de"]),
)


def test_it_agrees_with_the_engine_s_rules_on_any_result(tmp_path: Path) -> None:
    scenario = sample_scenario()
    rules = load_config(loaded(scenario, tmp_path), {"REINFER_TOKEN": "t"}).triggers[0].rules

    @given(RESULTS)
    def agrees(result: Promised) -> None:
        compiled = [match.route.name for match in rules.matches(as_decoded(result))]
        read = [route.name for route in scenario.routes if holds(route.when, result)]
        assert compiled == read

    agrees()


def as_decoded(result: Promised) -> FakeResult:
    country = result.user_properties.get("string:Country")
    shown = a_result({spelled(label): chance for label, chance in result.labels}, entities=sorted(result.entities))
    return replace(shown, comment=FakeComment(user_properties={"string:Country": str(country)} if country else {}))


def test_rules_are_said_in_words() -> None:
    words = {route.name: in_words(route.when) for route in sample_scenario().routes}
    assert (
        words["urgent-disputes"] == "Dispute > * ≥ 0.6 and Urgent ≥ 0.5 and not Spam ≥ 0.5 and some monetary-quantity"
    )
    assert words["fees"] == "Fees > Refund ≥ 0.5 or Fees > Query ≥ 0.6"
    assert words["complaints-abroad"] == "Complaint > * ≥ 0.5 and not Country is uk"


def test_labels_that_spell_alike_get_topics_of_their_own() -> None:
    scenario = label_scenario([("Card, lost",), ("Card lost",), ("dead",), ("unmatched",), ("中",), ("A", "B")])
    topics = [route.topic for route in scenario.routes]
    assert topics == [
        "demo.card-lost",
        "demo.card-lost-2",
        "demo.dead-2",
        "demo.unmatched-2",
        "demo.label",
        "demo.a.b",
    ]
    assert len(scenario.topics) == len(topics) + 2
