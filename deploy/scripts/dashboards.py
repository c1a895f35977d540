"""Writes the Grafana dashboards, deploy/grafana/*.json, from the panels below: `python deploy/scripts/dashboards.py`.

A test holds the files to this script, and every expression to the list of metrics.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "grafana"
COLUMNS = 24
HEIGHT = 8
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
EVERY = 'job=~"$job",trigger=~"$trigger"'
PROCESS = 'job=~"$job"'
RATE = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """`queries` are (expression, legend). `unit` is Grafana's word."""

    title: str
    queries: list[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = HEIGHT
    says: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def number(title: str, expression: str, width: int, **more: Any) -> Panel:
    """One figure, as it is now."""
    return Panel(title, [(expression, "")], kind="stat", width=width, height=4, **more)


def rate(metric: str, by: str, labels: str = EVERY) -> str:
    """A second, summed over everything but `by`."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}{RATE}))"


def quantile(share: float, metric: str, by: str, labels: str = EVERY) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{labels}}}{RATE})))"


def share(part: str, whole: str) -> str:
    """0 where nothing came."""
    return f"({part}) / clamp_min({whole}, 1e-9)"


OVERVIEW = [
    number("Triggers here", f"sum(bridge_owned_triggers{{{PROCESS}}})", 4),
    number(
        "Needing a person",
        f'sum(bridge_trigger_state{{{EVERY},state=~"blocked|failed"}})',
        4,
        says="Blocked: something outside must change. Failed: stopped loudly until resumed.",
        more={"thresholds": [("green", None), ("red", 1)]},
    ),
    Panel("Oldest result waiting", [(f"max(bridge_lag_seconds{{{EVERY}}})", "")], "s", "stat", 4, 4),
    Panel(
        "Records a second", [(f"sum(rate(bridge_records_published_total{{{EVERY}}}{RATE}))", "")], "cps", "stat", 4, 4
    ),
    number(
        "Dead letters an hour",
        f"sum(increase(bridge_dead_letters_total{{{EVERY}}}[1h])) or vector(0)",
        4,
        more={"thresholds": [("green", None), ("orange", 1)]},
    ),
    number(
        "Producers abandoned an hour",
        f"sum(increase(bridge_producers_abandoned_total{{{PROCESS}}}[1h])) or vector(0)",
        4,
        more={"thresholds": [("green", None), ("red", 1)]},
    ),
    Panel("States", [(f"sum by (state) (bridge_trigger_state{{{EVERY}}})", "{{state}}")], more={"stack": True}),
    Panel(
        "Age of the oldest result not yet advanced",
        [(f"max by (trigger) (bridge_lag_seconds{{{EVERY}}})", "{{trigger}}")],
        "s",
    ),
    Panel("Results fetched", [(rate("bridge_results_fetched_total", "trigger"), "{{trigger}}")], "cps"),
    Panel("Records by topic", [(rate("bridge_records_published_total", "topic"), "{{topic}}")], "cps"),
    Panel("A step, median", [(quantile(0.5, "bridge_batch_seconds", "step"), "{{step}}")], "s"),
    Panel("A step, 99 of 100", [(quantile(0.99, "bridge_batch_seconds", "step"), "{{step}}")], "s"),
    Panel("Batches held, by reason", [(rate("bridge_batches_held_total", "reason"), "{{reason}}")], "cps"),
    Panel("Dead letters, by reason", [(rate("bridge_dead_letters_total", "reason"), "{{reason}}")], "cps"),
    Panel(
        "Repeats swallowed, and batches sent without their ledger",
        [
            (rate("bridge_duplicates_skipped_total", "trigger"), "{{trigger}} swallowed"),
            (
                f"sum by (trigger) (rate(bridge_ledger_bypassed_total{{{EVERY}}}{RATE})) or vector(0)",
                "{{trigger}} without ledger",
            ),
        ],
        "cps",
    ),
    Panel(
        "Answers of the platform",
        [(rate("bridge_platform_requests_total", "op, code", PROCESS), "{{op}} {{code}}")],
        "cps",
    ),
    Panel("Records in flight", [(f"sum by (trigger) (bridge_in_flight_records{{{EVERY}}})", "{{trigger}}")]),
    Panel("Triggers by process", [(f"sum by (instance) (bridge_owned_triggers{{{PROCESS}}})", "{{instance}}")]),
    Panel(
        "Cores and memory",
        [
            (f"rate(process_cpu_seconds_total{{{PROCESS}}}{RATE})", "{{instance}} cores"),
            (f"process_resident_memory_bytes{{{PROCESS}}} / 1e9", "{{instance}} GB"),
        ],
    ),
    Panel(
        "Spans that did not reach the collector",
        [(f"sum by (reason) (rate(bridge_spans_dropped_total{{{PROCESS}}}{RATE})) or vector(0)", "{{reason}}")],
        "cps",
    ),
]

FETCHED = rate("bridge_results_fetched_total", "trigger")
MEAN = (
    "sum by (trigger, route) (rate(bridge_label_probability_sum{%(l)s}[%(w)s]))"
    " / sum by (trigger, route) (rate(bridge_label_probability_count{%(l)s}[%(w)s]))"
)

TRIGGER = [
    Panel(
        "State",
        [(f"max by (trigger, state) (bridge_trigger_state{{{EVERY}}}) == 1", "{{trigger}} {{state}}")],
        kind="state-timeline",
        width=24,
        height=5,
    ),
    Panel("Oldest result waiting", [(f"max by (trigger) (bridge_lag_seconds{{{EVERY}}})", "{{trigger}}")], "s"),
    Panel(
        "Since the last advance", [(f"min by (trigger) (bridge_seconds_since_advance{{{EVERY}}})", "{{trigger}}")], "s"
    ),
    Panel("Fetched", [(FETCHED, "{{trigger}}")], "cps"),
    Panel(
        "Records by route", [(rate("bridge_records_published_total", "route, topic"), "{{route}} → {{topic}}")], "cps"
    ),
    Panel(
        "Share of the results on each route",
        [
            (
                f"{rate('bridge_records_published_total', 'trigger, route')} / on (trigger) group_left"
                f" clamp_min({FETCHED}, 1e-9)",
                "{{route}}",
            )
        ],
        "percentunit",
        says="A step here without a change of the routes is a change of the model.",
    ),
    Panel(
        "Share that no route took",
        [(share(rate("bridge_results_unmatched_total", "trigger"), FETCHED), "{{trigger}}")],
        "percentunit",
    ),
    Panel(
        "How sure the model is, by route",
        [
            (MEAN % {"l": EVERY, "w": "$__rate_interval"}, "{{route}} now"),
            (MEAN % {"l": EVERY, "w": "1d"}, "{{route}} over a day"),
        ],
        "percentunit",
        says="Mean probability of the labels that matched. Apart from the day's: look at the thresholds again.",
    ),
    Panel(
        "Probabilities of the labels that matched",
        [(f"sum by (le) (increase(bridge_label_probability_bucket{{{EVERY}}}{RATE}))", "{{le}}")],
        kind="heatmap",
    ),
    Panel("What shadow routes would take", [(rate("bridge_shadow_matches_total", "route"), "{{route}}")], "cps"),
    Panel("Results a batch", [(quantile(0.5, "bridge_batch_size", "trigger"), "{{trigger}} median")]),
    Panel("A step, 99 of 100", [(quantile(0.99, "bridge_batch_seconds", "step"), "{{step}}")], "s"),
    Panel(
        "Batches advanced and held",
        [
            (
                f'sum by (trigger) (rate(bridge_batch_seconds_count{{{EVERY},step="advance"}}{RATE}))',
                "{{trigger}} advanced",
            ),
            (rate("bridge_batches_held_total", "trigger, reason"), "{{trigger}} held: {{reason}}"),
        ],
        "cps",
    ),
    Panel("Dead letters, by reason", [(rate("bridge_dead_letters_total", "reason"), "{{reason}}")], "cps"),
    Panel("Repeats swallowed", [(rate("bridge_duplicates_skipped_total", "trigger"), "{{trigger}}")], "cps"),
]

REPLAYING = f'max by (trigger) (bridge_trigger_state{{{EVERY},state="replaying"}})'

REPLAY = [
    number("Replaying now", f'sum(bridge_trigger_state{{{EVERY},state="replaying"}})', 6),
    number(
        "Being reset now",
        f'sum(bridge_trigger_state{{{EVERY},state="resetting"}})',
        6,
    ),
    number("Done in a day", f'sum(increase(bridge_resets_total{{{EVERY},phase="done"}}[1d])) or vector(0)', 6),
    number(
        "Failed in a day",
        f'sum(increase(bridge_resets_total{{{EVERY},phase="failed"}}[1d])) or vector(0)',
        6,
        more={"thresholds": [("green", None), ("red", 1)]},
    ),
    Panel(
        "Where each trigger is",
        [
            (
                f'max by (trigger, state) (bridge_trigger_state{{{EVERY},state=~"re.+|running|idle"}}) == 1',
                "{{trigger}} {{state}}",
            )
        ],
        kind="state-timeline",
        width=24,
        height=5,
    ),
    Panel("Generation", [(f"max by (trigger) (bridge_trigger_generation{{{EVERY}}})", "{{trigger}}")]),
    Panel(
        "Phases that resets came to", [(rate("bridge_resets_total", "trigger, phase"), "{{trigger}} {{phase}}")], "cps"
    ),
    Panel("Results replayed", [(f"{FETCHED} * on (trigger) {REPLAYING}", "{{trigger}}")], "cps"),
    Panel(
        "Records sent meanwhile",
        [
            (
                f"{rate('bridge_records_published_total', 'trigger, topic')} * on (trigger) group_left {REPLAYING}",
                "{{trigger}} → {{topic}}",
            )
        ],
        "cps",
    ),
    Panel(
        "Still to go",
        [(f"max by (trigger) (bridge_lag_seconds{{{EVERY}}})", "{{trigger}}")],
        "s",
        says="Age of the oldest result not yet sent: a replay jumps it up, and is done when it is down again.",
    ),
    Panel(
        "Catching up by, a second",
        [(f"-1 * max by (trigger) (deriv(bridge_lag_seconds{{{EVERY}}}[5m]))", "{{trigger}}")],
        "s",
        says="Seconds of the past that a second replays; under 0 the trigger falls behind.",
    ),
    Panel("A step, 99 of 100", [(quantile(0.99, "bridge_batch_seconds", "step"), "{{step}}")], "s"),
    Panel("Repeats swallowed", [(rate("bridge_duplicates_skipped_total", "trigger"), "{{trigger}}")], "cps"),
]

DASHBOARDS = {
    "overview": ("bridge / overview", "bridge-overview", OVERVIEW),
    "trigger": ("bridge / one trigger", "bridge-trigger", TRIGGER),
    "replay": ("bridge / replay", "bridge-replay", REPLAY),
}


def dashboard(title: str, uid: str, panels: list[Panel]) -> dict[str, Any]:
    """Grafana's own form, schema 39 (Grafana 10 and later)."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["bridge"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": []},
        "links": [{"title": "bridge", "type": "dashboards", "tags": ["bridge"], "keepTime": True, "includeVars": True}],
        "templating": {"list": variables()},
        "panels": placed(panels),
    }


def variables() -> list[dict[str, Any]]:
    def of_label(name: str, query: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }

    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}},
        of_label("job", "label_values(bridge_owned_triggers, job)"),
        of_label("trigger", 'label_values(bridge_trigger_state{job=~"$job"}, trigger)'),
    ]


def placed(panels: list[Panel]) -> list[dict[str, Any]]:
    """From left to right, then down."""
    made, x, y = [], 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + made[-1]["gridPos"]["h"]
        made.append(written(panel, number, x, y))
        x += panel.width
    return made


def written(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    steps = [{"color": color, "value": value} for color, value in panel.more.get("thresholds", [("green", None)])]
    custom: dict[str, Any] = {"fillOpacity": 10, "showPoints": "never"}
    if panel.more.get("stack"):
        custom |= {"stacking": {"mode": "normal"}, "fillOpacity": 60}
    options: dict[str, Any] = {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]}}
    if panel.kind == "stat":
        options, custom = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}, {}
    elif panel.kind == "heatmap":
        options, custom = {"calculate": False, "yAxis": {"unit": "percentunit"}, "color": {"scheme": "Blues"}}, {}
    elif panel.kind == "state-timeline":
        options, custom = (
            {"showValue": "never", "legend": {"displayMode": "list", "placement": "bottom"}},
            {"fillOpacity": 70},
        )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "custom": custom,
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            }
            for at, (expression, legend) in enumerate(panel.queries)
        ],
    }


def texts() -> dict[str, str]:
    """The files by name."""
    return {
        f"{name}.json": json.dumps(dashboard(*parts), indent=2, ensure_ascii=False) + "\n"
        for name, parts in DASHBOARDS.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
