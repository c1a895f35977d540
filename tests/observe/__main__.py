"""`python -m tests.observe [--once] [--json]`: the demo, seen through its traces, metrics, dashboards and alerts.

Runs the demo against an OTLP receiver in this process and Debian's Prometheus with our rules, drives failures and
replays, asks Prometheus each query of each dashboard's panel, and prints a trace as a tree. Ends with 0 where no panel
is empty and the traces are whole, 1 where not, 3 without Prometheus. Without --once all of it stays up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tests.e2e.demo_process import Demo
from tests.observe.prometheus import RATE, Prometheus
from tests.observe.stage import Place, Traffic, spans_by_name, telling, tree
from tests.observe.waiting import until
from tests.telemetry import collector as collectors
from tests.telemetry.collector import Collector
from tests.telemetry.queries import filled_in, of_dashboards

WANTED = {
    *("bridge.cycle", "fetch", "decide", "skip", "publish", "mark", "advance", "create", "send"),
    *("bridge.reset", "hold", "begin", "reset_platform"),
}
NO_PROMETHEUS = 3
LOOK_BACK_S = 60.0

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found; `empty` are panels whose query had no value."""

    verdict: str = "ok"
    panels: int = 0
    empty: list[str] = field(default_factory=list)
    alerts: dict[str, str] = field(default_factory=dict)
    spans: dict[str, int] = field(default_factory=dict)
    spans_missing: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0


def main() -> int:
    options = _options()
    if not Prometheus.is_there():
        print("prometheus is not installed: deploy/scripts/debian-packages.sh prometheus", file=sys.stderr)
        return NO_PROMETHEUS
    say: Say = partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bridge-observe-") as directory, collectors.by_http() as collector:
        home = Path(directory)
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "300"}
        (home / "demo").mkdir()
        say(f"starting the demo, with its traces sent to {collector.endpoint}")
        demo = Demo(home / "demo", "--comments", "150", env=env)
        try:
            place = Place.of(demo)
            prometheus = Prometheus.start(home / "prometheus", place.target)
            try:
                report = _seen(place, demo, prometheus, collector, say)
                report.elapsed_s = round(time.monotonic() - began, 1)
                _print(report, options.json, say)
                if not options.once:
                    _stay(place, prometheus, say)
            finally:
                prometheus.stop()
            demo.signal(signal.SIGINT)
            demo.ended()
        finally:
            demo.kill()
    return 0 if report.verdict == "ok" else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make observe", description="The demo, seen through its telemetry.")
    parser.add_argument("--once", action="store_true", help="end after the checks")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser.parse_args()


def _seen(place: Place, demo: Demo, prometheus: Prometheus, collector: Collector, say: Say) -> Report:
    say(f"prometheus scrapes {place.target} each second; driving failures and replays")
    traffic = Traffic(place, demo)
    try:
        traffic.drive(prometheus)
    finally:
        traffic.close()
    _wait_for_spans(collector)
    report = Report(alerts=prometheus.alerts(), spans=spans_by_name(collector))
    for query in of_dashboards():
        report.panels += 1
        if not prometheus.finite(filled_in(query.expression, RATE), LOOK_BACK_S):
            report.empty.append(query.where)
    report.spans_missing = sorted(WANTED - set(report.spans))
    report.trace = tree(telling(collector))
    if report.empty or report.spans_missing or not report.alerts:
        report.verdict = "incomplete"
    return report


def _wait_for_spans(collector: Collector) -> None:
    """They come with a delay; what does not come at all is in the report."""
    with suppress(TimeoutError):
        until(lambda: set(spans_by_name(collector)) >= WANTED, "spans of every kind", within_s=10)


def _print(report: Report, as_json: bool, say: Say) -> None:
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
        return
    say(f"\n{report.panels} queries of the dashboards' panels, {len(report.empty)} empty")
    for where in report.empty:
        say(f"  empty: {where}")
    say(f"{len(report.alerts)} alerts: " + ", ".join(f"{name} {state}" for name, state in report.alerts.items()))
    say("spans: " + ", ".join(f"{name} {count}" for name, count in sorted(report.spans.items())))
    for name in report.spans_missing:
        say(f"  no span of {name}")
    say("\none pass:")
    for line in report.trace:
        say(f"  {line}")
    say(f"\n{report.verdict} after {report.elapsed_s} s")


def _stay(place: Place, prometheus: Prometheus, say: Say) -> None:
    say(f"\nPrometheus: {prometheus.url}/graph, alerts: {prometheus.url}/alerts, bridge: {place.admin}/")
    say("dashboards for Grafana: deploy/grafana/*.json; Ctrl-C ends all of it")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("stopping")


if __name__ == "__main__":
    sys.exit(main())
