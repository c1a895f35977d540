"""The published schemas say what the loader and the writer do."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from bridge.app.config.schema import config_schema
from bridge.app.record_schema import record_schema
from bridge.domain.decide import decide
from bridge.domain.model import Batch, Generation, SequenceId, TriggerName, TriggerRef, Undecodable
from bridge.domain.plan import DeadLetter, TriggerPlan
from bridge.domain.rules import Route, RuleSet
from tests.unit.config.files import GOOD
from tests.unit.rules.results import FakePrediction, FakeResult, a_label

CONFIG = jsonschema.Draft202012Validator(config_schema())
RECORD = jsonschema.Draft202012Validator(record_schema())


def errors(old: str = "", new: str = "") -> list[str]:
    document = yaml.safe_load(GOOD.replace(old, new) if old else GOOD)
    return [error.json_path for error in CONFIG.iter_errors(document)]


def test_both_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    jsonschema.Draft202012Validator.check_schema(record_schema())
    json.dumps([config_schema(), record_schema()])


def test_a_good_file_passes() -> None:
    assert errors() == []
    assert errors("deployment: prod", "deployment: prod\nx-common: {any: thing}") == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("match: all", "mach: all", "$.triggers[0]"),
        ("batch_size: 512", "batch_size: 2000", "$.defaults.batch_size"),
        ("topic: rpa.trades", "topic: rpa trades", "$.triggers[0].routes[1].topic"),
        ("min: 0.4", "min: 4", "$.triggers[0].routes[2].when"),
        ("deployment: prod\n", "", "$"),
        ("poll_interval: 5s", "poll_interval: soon", "$.defaults.poll_interval"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(old: str, new: str, path: str) -> None:
    assert errors(old, new) == [path]


@pytest.mark.parametrize("old", ["512", "rpa.trades", "0.4", "5s", "triggers\n", "all\n"])
def test_a_variable_may_stand_wherever_the_loader_takes_one(old: str) -> None:
    assert errors(old, "'${NAME:-x}'" + "\n" * old.endswith("\n")) == []


def properties(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [item for part in schema["$defs"].values() for item in part.get("properties", {}).items()]


def test_every_part_is_described() -> None:
    schema = config_schema()
    assert all(part.get("description") for name, part in schema["$defs"].items())
    assert schema["description"]


def test_every_record_the_bridge_writes_is_as_the_schema_says() -> None:
    raw = b'{"comment":{"uid":"s.1","x":{}},"sequence_id":"a","labels":[{"name":["A"],"probability":0.9}],"y":[]}'
    good = FakeResult(labels=[FakePrediction(("A",), 0.9)], raw=raw)
    plan = TriggerPlan(
        name=TriggerName("t"),
        ref=TriggerRef(project="p", dataset="d", trigger="t"),
        rules=RuleSet([Route(name="r", topic="a", when=a_label("A", 0.5))]),
        unmatched_topic="rest",
        dead_letter=DeadLetter(topic="dead"),
    )
    broken = Undecodable(raw=b'{"comment":{}}', reason="no_uid", sequence_id=SequenceId("b"))
    batch = Batch(
        results=[good, FakeResult(raw=raw), broken], sequence_id=SequenceId("c"), filtered=0, is_end=True, size_asked=3
    )
    deliveries = decide(batch, plan, Generation(2), {}, "").deliveries
    assert [delivery.topic for delivery in deliveries] == ["a", "rest", "dead"]
    for delivery in deliveries:
        RECORD.validate(json.loads(delivery.value))


def test_something_else_is_no_record() -> None:
    assert list(RECORD.iter_errors({"comment": {"uid": "x"}}))
