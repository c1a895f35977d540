"""Whether two workers were ever at work on one trigger, by the platform's own log (I6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.history.events import Published, Zombie


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What the outside saw of one pass, `from_ms` its first request `until_ms` its last; `trace` is its identity.

    `records` are those on the topics that it sent.
    """

    trigger: str
    trace: str
    from_ms: float
    until_ms: float
    fetches: int
    advances: int
    records: int

    @property
    def is_lone_fetch(self) -> bool:
        """It asked once and did nothing with the answer."""
        return (self.fetches, self.advances, self.records) == (1, 0, 0)


def passes_of(lines: Iterable[Mapping[str, Any]], records: Iterable[Published]) -> dict[str, list[Pass]]:
    """By trigger, in the order of their beginning; what the platform delayed itself is left out."""
    sent = Counter(record.trace for record in records)
    seen: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["traceparent"] and line["op"] in ("fetch", "advance") and not line["fault"]:
            seen[str(line["trigger"]), trace_of(str(line["traceparent"]))].append(line)
    found: defaultdict[str, list[Pass]] = defaultdict(list)
    for (trigger, trace), requests in seen.items():
        times = [float(line["at_ms"]) for line in requests]
        asked = Counter(line["op"] for line in requests)
        found[trigger].append(
            Pass(
                trigger=trigger,
                trace=trace,
                from_ms=min(times),
                until_ms=max(times),
                fetches=asked["fetch"],
                advances=asked["advance"],
                records=sent[trace],
            )
        )
    return {trigger: sorted(passes, key=lambda each: each.from_ms) for trigger, passes in found.items()}


def trace_of(traceparent: str) -> str:
    """The trace that a W3C `traceparent` belongs to; empty where there is none."""
    return traceparent.split("-")[1] if traceparent else ""


def overlaps(passes: Iterable[Pass], zombies: Sequence[Zombie] = ()) -> list[tuple[Pass, Pass]]:
    """Pairs of passes of one trigger that went on at the same time, given in the order of their beginning.

    What a zombie only reads harms nobody, and nobody can keep it from asking: its lease may end between the question
    and the request (D15). Whatever it does besides is judged.
    """
    found: list[tuple[Pass, Pass]] = []
    last: Pass | None = None
    for each in passes:
        if each.is_lone_fetch and any(_is_within(each, zombie) for zombie in zombies):
            continue
        if last is not None and each.from_ms < last.until_ms:
            found.append((last, each))
        if last is None or each.until_ms > last.until_ms:
            last = each
    return found


def _is_within(each: Pass, zombie: Zombie) -> bool:
    return each.trigger == zombie.trigger and zombie.at_ms <= each.from_ms <= zombie.until_ms
