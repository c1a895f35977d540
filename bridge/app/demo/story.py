"""What is told at the end: a record of each kind, and commands to play with the demo that still runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bridge.app.demo.running import Running
from bridge.app.demo.scenario import Scenario
from bridge.app.demo.stage import PROJECT, SOURCE
from bridge.app.demo.verdict import Seen

EXAMPLES_MAX = 6


@dataclass(slots=True)
class Album:
    """The first record of each route that has something to show."""

    _by_route: dict[str, Seen] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        """Kept if it is the first of its route."""
        if seen.subject or seen.dead:
            self._by_route.setdefault(seen.route, seen)

    def examples(self, scenario: Scenario) -> Sequence[Seen]:
        """Dead letter and unmatched, which ask for an explanation most, and some routes in their order."""
        routes = [route.name for route in scenario.routes if route.name in self._by_route]
        others = [route for route in self._by_route if route not in routes]
        return [self._by_route[route] for route in [*routes[: EXAMPLES_MAX - len(others)], *others]]


def what_next(running: Running, directory: str) -> Iterable[tuple[str, str]]:
    """Purpose and command."""
    at, scenario = running.addresses, running.scenario
    trigger = f"{running.admin.base_url}/api/v1/triggers/{scenario.trigger}"
    first = next(route for route in scenario.routes if not route.shadow)
    yield "look at it and act on it in a browser", f"python3 -m webbrowser {running.admin.base_url}/"
    yield "how the trigger stands", f"curl -s {trigger}"
    yield "one record of a topic", f"kcat -C -q -b {at.kafka} -t {first.topic} -c 1 -f '%h\\n%s\\n'"
    yield "the ledger of marks", f"redis-cli -u {at.redis_url} --scan"
    yield "hold it, then go on", f"curl -X POST {trigger}/pause; sleep 5; curl -X POST {trigger}/resume"
    again = json.dumps({"to_comment_created_at": running.promised[len(running.promised) // 2].created_at})
    yield (
        "deliver the later half once more, as generation 1",
        f"curl -X POST {trigger}/resets -H 'Content-Type: application/json' -d '{again}'",
    )
    yield (
        "write a mail yourself",
        f"curl -X POST {at.platform}/api/v1/sources/{PROJECT}/{SOURCE}/sync -H 'Authorization: Bearer {running.token}'"
        f" -H 'Content-Type: application/json' -d '{json.dumps(_own_mail())}'",
    )
    yield "change a route: the running bridge reads the file again", f"$EDITOR {directory}/demo.yaml"


def _own_mail() -> dict[str, object]:
    body = "Trade TRD-1 over EUR 2,000,000.00 failed to settle. This is urgent, please look into the fail today."
    message = {"subject": {"text": "Failing trade TRD-1"}, "body": {"text": body}, "from": "you@example.com"}
    return {"comments": [{"id": "0001", "timestamp": "2026-03-30T09:00:00Z", "messages": [message]}]}
