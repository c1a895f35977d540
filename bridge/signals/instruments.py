"""Every metric there is: its name, unit and help are a contract (design section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from bridge.domain.status import State, Status

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 512, 1024)


class Instruments:
    """The counters and histograms, made once. Labels are bounded: see the package."""

    def __init__(self, meter: Meter) -> None:
        count, histogram = meter.create_counter, meter.create_histogram
        self.fetched = count("bridge_results_fetched", "", "Results fetched, repeats after a hold included")
        self.published = count("bridge_records_published", "", "Records acked by every in-sync replica")
        self.skipped = count("bridge_duplicates_skipped", "", "Deliveries that were marked already")
        self.dead = count("bridge_dead_letters", "", "Dead letters acked, by reason")
        self.shadowed = count("bridge_shadow_matches", "", "Results a shadow route would have taken")
        self.unmatched = count("bridge_results_unmatched", "", "Results no live route took")
        self.resets = count("bridge_resets", "", "Resets, by the phase they came to")
        self.platform_resets = count(
            "bridge_platform_resets", "", "Resets made at the platform itself, by what was done"
        )
        self.abandoned = count("bridge_producers_abandoned", "", "Producers given up after an unknown outcome")
        self.held = count("bridge_batches_held", "", "Batches whose position was held, by reason")
        self.rebalances = count("bridge_rebalances", "", "Rebalances after which this process took over its share")
        self.bypassed = count("bridge_ledger_bypassed", "", "Batches published without their ledger, by choice")
        self.seconds = histogram(
            "bridge_batch_seconds", "s", "Seconds per step", explicit_bucket_boundaries_advisory=STEP_SECONDS
        )
        self.sizes = histogram(
            "bridge_batch_size", "", "Results per batch", explicit_bucket_boundaries_advisory=BATCH_SIZES
        )
        self.in_flight = meter.create_up_down_counter(
            "bridge_in_flight_records", "", "Records handed to the broker and not yet answered for"
        )


def register_answers(meter: Meter, answers: Mapping[tuple[str, str], int]) -> None:
    """By (operation, code), read when somebody scrapes: the library's own counter took more of an idle poll than what
    decodes its page.
    """
    meter.create_observable_counter(
        "bridge_platform_requests",
        [lambda _: [Observation(count, {"op": op, "code": code}) for (op, code), count in list(answers.items())]],
        "",
        "Answers of the platform, by operation and code",
    )


def _lag_s(status: Status, now: datetime) -> float:
    return max(0.0, (now - status.oldest_pending).total_seconds()) if status.oldest_pending else 0.0


def _since_advance_s(status: Status, now: datetime) -> float | None:
    return max(0.0, (now - status.last_advance).total_seconds()) if status.last_advance else None


def _generation(status: Status, _: datetime) -> float:
    return status.generation


# The exporter appends a unit that the name does not end with, so one stands only where the contract has it.
GAUGES = (
    ("bridge_lag_seconds", "s", "Age of the oldest result not yet advanced, as last seen", _lag_s),
    ("bridge_seconds_since_advance", "", "Since this process last advanced the trigger", _since_advance_s),
    ("bridge_trigger_generation", "", "The generation the trigger is in; each reset raises it", _generation),
)


def register_gauges(meter: Meter, statuses: Callable[[], Iterable[Status]], now: Callable[[], datetime]) -> None:
    """Read from the workers' statuses when somebody scrapes."""

    def observe(read: Callable[[Status, datetime], float | None]) -> Callable[[CallbackOptions], list[Observation]]:
        def observed(_: CallbackOptions) -> list[Observation]:
            read_now = [(status.name, read(status, now())) for status in statuses()]
            return [Observation(value, {"trigger": name}) for name, value in read_now if value is not None]

        return observed

    for name, unit, help_, read in GAUGES:
        meter.create_observable_gauge(name, [observe(read)], unit, help_)
    meter.create_observable_gauge(
        "bridge_trigger_state", [lambda _: _states(statuses())], "", "1 for the state a trigger is in"
    )
    meter.create_observable_gauge(
        "bridge_owned_triggers",
        [lambda _: [Observation(sum(1 for _ in statuses()))]],
        "",
        "Triggers whose worker runs in this process",
    )


def _states(statuses: Iterable[Status]) -> list[Observation]:
    return [
        Observation(int(status.state is state), {"trigger": status.name, "state": state.value})
        for status in statuses
        for state in State
    ]
