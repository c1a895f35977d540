"""Every metric there is: its name, unit and help are a contract (design section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from bridge.domain.status import State, Status
from bridge.signals.histograms import Histogram

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 512, 1024)
PROBABILITIES = tuple(twentieth / 20 for twentieth in range(1, 20))


class Tally:
    """A counter that is read when somebody scrapes; the library's own takes several microseconds each time it counts.

    It has no exemplars. What happens rarely is counted by the library, which picks them.
    """

    def __init__(self, *labels: str) -> None:
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, amount: int, *labels: str) -> None:
        """The labels' values, in the order of their names."""
        self._counts[labels] = self._counts.get(labels, 0) + amount

    def observe(self, _: CallbackOptions) -> list[Observation]:
        """As a callback of an observable instrument."""
        return [
            Observation(count, dict(zip(self._labels, labels, strict=True)))
            for labels, count in list(self._counts.items())
        ]


class Instruments:
    """The counters and histograms, made once. Labels are bounded: see the package."""

    def __init__(self, meter: Meter) -> None:
        count = meter.create_counter

        def tally(name: str, description: str, *labels: str) -> Tally:
            made = Tally(*labels)
            meter.create_observable_counter(name, [made.observe], "", description)
            return made

        self.fetched = tally("bridge_results_fetched", "Results fetched, repeats after a hold included", "trigger")
        self.published = tally(
            "bridge_records_published", "Records acked by every in-sync replica", "trigger", "route", "topic"
        )
        self.skipped = tally("bridge_duplicates_skipped", "Deliveries that were marked already", "trigger")
        self.shadowed = tally("bridge_shadow_matches", "Results a shadow route would have taken", "trigger", "route")
        self.unmatched = tally("bridge_results_unmatched", "Results no live route took", "trigger")
        self.answers = tally("bridge_platform_requests", "Answers of the platform, by operation and code", "op", "code")
        self.in_flight = Tally("trigger")
        meter.create_observable_up_down_counter(
            "bridge_in_flight_records",
            [self.in_flight.observe],
            "",
            "Records handed to the broker and not yet answered for",
        )
        self.dead = count("bridge_dead_letters", "", "Dead letters acked, by reason")
        self.resets = count("bridge_resets", "", "Resets, by the phase they came to")
        self.platform_resets = count(
            "bridge_platform_resets", "", "Resets made at the platform itself, by what was done"
        )
        self.abandoned = count("bridge_producers_abandoned", "", "Producers given up after an unknown outcome")
        self.held = count("bridge_batches_held", "", "Batches whose position was held, by reason")
        self.rebalances = count("bridge_rebalances", "", "Rebalances after which this process took over its share")
        self.bypassed = count("bridge_ledger_bypassed", "", "Batches published without their ledger, by choice")
        self.seconds = Histogram(
            "bridge_batch_seconds", "s", "Seconds per step", STEP_SECONDS, labels=("trigger", "step")
        )
        self.sizes = Histogram("bridge_batch_size", "", "Results per batch", BATCH_SIZES, labels=("trigger",))
        # How sure the model was of what it routed: what shows a threshold that no longer fits.
        self.probabilities = Histogram(
            "bridge_label_probability",
            "",
            "Probabilities of the labels that matched, per route",
            PROBABILITIES,
            labels=("trigger", "route"),
        )

    @property
    def histograms(self) -> Sequence[Histogram]:
        """What the meter knows nothing of."""
        return self.seconds, self.sizes, self.probabilities


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
