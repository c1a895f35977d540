"""The demo, its traffic, and what is seen of both."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from tests.e2e.demo_process import Demo
from tests.observe.prometheus import Prometheus
from tests.observe.waiting import until
from tests.telemetry.collector import Collector, Got

CREATED_SHOWN_MAX = 3
RESETS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the running demo is, by its own words."""

    trigger: str
    admin: str
    platform: str
    token: str

    @property
    def target(self) -> str:
        return self.admin.removeprefix("http://")

    @classmethod
    def of(cls, demo: Demo) -> Place:
        """Once it has delivered all and says what to try next."""
        demo.until("$EDITOR")
        shown = demo.shown
        found = re.search(r"curl -s ((http://[^/\s]+)/api/v1/triggers/\S+)", shown)
        mail = re.search(r"curl -X POST (http://[^/\s]+)/api/v1/sources/\S+ -H 'Authorization: Bearer ([^']+)'", shown)
        assert found, shown
        assert mail, shown
        return cls(trigger=found[1], admin=found[2], platform=mail[1], token=mail[2])


class Traffic:
    """Brings about everything a panel can show: failures, repeats, replays."""

    def __init__(self, place: Place, demo: Demo) -> None:
        self._place = place
        self._platform = httpx.Client(
            base_url=place.platform, headers={"Authorization": f"Bearer {place.token}"}, timeout=30
        )
        resets = re.search(r"/resets -H 'Content-Type: application/json' -d '(\{[^']+\})'", demo.shown)
        assert resets, demo.shown
        self._reset = resets[1]

    def drive(self, prometheus: Prometheus) -> None:
        """Waits for scrapes before and after each thing: a rate is a difference between two of them."""
        prometheus.scraped()
        for fault in (
            {"op": "fetch", "kind": "status", "status": 503, "times": 1},
            {"op": "advance", "kind": "drop", "after": False, "times": 1},
        ):
            self._platform.post("/_sandbox/faults", json=[fault]).raise_for_status()
        for _ in range(RESETS):
            answer = self._asked_for_a_reset()
            _replayed(self._place.admin + answer.headers["location"])
            prometheus.scraped()

    def _asked_for_a_reset(self) -> httpx.Response:
        """The fetch that is made to fail may be the one that looks whether it would skip: then it is asked again."""
        answer = self._ask_for_a_reset()
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            answer = self._ask_for_a_reset()
        return answer.raise_for_status()

    def _ask_for_a_reset(self) -> httpx.Response:
        return httpx.post(
            f"{self._place.trigger}/resets",
            content=self._reset,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )

    def close(self) -> None:
        self._platform.close()


def _replayed(reset: str) -> None:
    until(lambda: httpx.get(reset, timeout=10).json()["phase"] in ("done", "failed"), "a replay")


def telling(collector: Collector) -> list[Got]:
    """The spans of the pass that has most kinds of spans."""
    cycles = [span for span in collector.spans if span.name == "bridge.cycle"]
    return max((collector.trace(cycle.trace_id) for cycle in cycles), key=lambda trace: len({s.name for s in trace}))


def tree(trace: list[Got]) -> list[str]:
    """One line a span, indented under its parent; records beyond some are counted."""
    children: dict[str, list[Got]] = {}
    for span in trace:
        children.setdefault(span.parent_id, []).append(span)
    lines: list[str] = []

    def walk(span: Got, depth: int) -> None:
        took_ms = (span.end_ns - span.start_ns) / 1e6
        linked = f"  links {len(span.links)}" if span.links else ""
        ended = f"  {span.status}" if span.status else ""
        lines.append(f"{'  ' * depth}{span.name}  {took_ms:.1f} ms{linked}{ended}")
        below = children.get(span.span_id, [])
        created = [one for one in below if one.name.startswith("create ")]
        for child in [one for one in below if one not in created[CREATED_SHOWN_MAX:]]:
            walk(child, depth + 1)
        if len(created) > CREATED_SHOWN_MAX:
            lines.append(f"{'  ' * (depth + 1)}create … {len(created) - CREATED_SHOWN_MAX} more")

    for root in children.get("", []):
        walk(root, 0)
    return lines


def spans_by_name(collector: Collector) -> dict[str, int]:
    """With the topics taken off."""
    counted: dict[str, int] = {}
    for span in collector.spans:
        name = span.name.split(" ")[0]
        counted[name] = counted.get(name, 0) + 1
    return counted
