"""The list of metrics is a contract: with it dashboards, alerts and other people's queries go on working."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from bridge.domain.conditions import LabelHolds
from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.model import Generation, SequenceId
from bridge.domain.rules import Route
from bridge.engine.cycle import run_cycle
from tests.fakes.plans import a_plan
from tests.fakes.results import raw_result
from tests.telemetry.listed import LIST, as_text
from tests.telemetry.office import every_metric, families, scraped, series, telemetry
from tests.unit.engine.world import World

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
BASE_UNITS = (
    "_seconds",
    "_total",
    "_size",
    "_records",
    "_triggers",
    "_state",
    "_generation",
    "_probability",
    "_advance",
)


async def test_the_list_of_metrics_is_what_the_service_exports() -> None:
    """`python -m tests.telemetry.listed` writes it anew."""
    with telemetry() as told:
        await every_metric(told)
        found = as_text(families())
    assert found == LIST.read_text()


def test_a_change_of_the_list_has_a_line_in_the_changelog() -> None:
    digest = blake2b(LIST.read_bytes(), digest_size=4).hexdigest()
    assert digest in CHANGELOG.read_text(), f"say in CHANGELOG.md what changed in the metrics, and name list {digest}"


async def test_names_say_their_unit_and_every_metric_has_help() -> None:
    with telemetry() as told:
        await every_metric(told)
        for name, (_, documentation, _) in families().items():
            assert name.endswith(BASE_UNITS), name
            assert documentation


async def test_ten_thousand_labels_on_the_platform_make_no_more_series_than_one() -> None:
    """Labels of metrics come from the configuration and from our own lists."""
    everything = Route(name="all", topic="rpa.all", when=LabelHolds(("**",), 0.0, 1.0))
    with telemetry() as told:
        world = World(a_plan({}, extra=(everything,), batch_size=1024))
        world.upload_raw(raw_result(1, {"one": 0.5}))
        await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, told.signals)
        with_one = series()
        for first in range(2, 1002, 100):
            for number in range(first, first + 100):
                labels = {f"Label {number} > Child {child}": 0.5 for child in range(10)}
                world.upload_raw(raw_result(number, labels))
            await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, told.signals)
        assert world.pending == 0
        assert series() == with_one


async def test_a_thousand_triggers_keep_their_series_apart() -> None:
    """The SDK folds what is over its limit into one nameless series, which would hide every trigger behind it."""
    routes = ("urgent", "trades", "rare")
    sent = [
        Delivery(MarkKey(bytes(16)), f"rpa.{route}", route, None, b"", b"", (), (), (), SequenceId("s"), "uid")
        for route in routes
    ]
    receipts = [Receipt(one.mark, Outcome.ACKED, one.topic, 0, 0) for one in sent]
    with telemetry() as told:
        for number in range(1_000):
            plan = a_plan(name=f"trigger-{number}")
            for step in ("fetch", "decide", "skip"):
                with told.signals.step(plan.name, step):
                    pass
            told.signals.published(plan.name, sent, receipts)
        text = scraped()
    for number in (0, 999):
        assert f'bridge_batch_seconds_count{{step="skip",trigger="trigger-{number}"}} 1' in text
    assert text.count("\nbridge_records_published_total{") == len(routes) * 1_000
