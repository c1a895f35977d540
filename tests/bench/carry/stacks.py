"""Stacks of a profile, told apart by component and drawn as a flame graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

Stack = tuple[str, ...]
"""Frames, outermost first, as `function (file)`."""

LOOP = "run_forever"
"""Of the event loop: what is outside of it is the same for all stacks."""

SCAFFOLD = re.compile(r"\(asyncio/(base_events|events|runners)\.py(:\d+)?\)")
"""Frames that say no more than that something runs in the event loop."""

COMPONENTS: tuple[tuple[str, str, str], ...] = (
    ("decode the page", r"platform/(wire|lenient|split|results)\.py|domain/unread\.py", "#7eb6d9"),
    ("decide: match, splice, headers, mark", r"domain/decide\.py", "#f2a65a"),
    ("count for the insight views", r"domain/census\.py", "#d9cf6a"),
    ("ledger: lookup and mark", r"redis_ledger/|redis/", "#c98bb9"),
    ("Kafka batches and receipts", r"kafka/(packing|parcel)\.py", "#8fbf6f"),
    ("Kafka protocol, checksum, send", r"aiokafka/|kafka/(produce|client)\.py", "#5f9e6e"),
    ("publisher: lines, deadlines", r"bridge/adapters/kafka/", "#a8cf9a"),
    ("HTTP client", r"httpx|httptools|bridge/adapters/platform/", "#6a8fd9"),
    ("logging", r"structlog|telemetry/logs\.py", "#b0a090"),
    ("metrics and spans", r"bridge/signals/|opentelemetry|telemetry/", "#cfa8a8"),
    ("pass: settle, trail, status, guard", r"bridge/(domain|engine)/", "#e0c3a0"),
)
"""The first that any frame of a stack belongs to has it."""

IDLE = "event loop: wake-ups, reading sockets"
OTHER_COLOUR = "#c9c9c9"

WIDTH, ROW, LEAST = 1_200.0, 15.0, 0.0025
"""Pixels, and the smallest share that is drawn."""


def parsed(raw: str) -> Counter[Stack]:
    """Of the event loop, from its own frame inwards, without its scaffold. Other threads and the start are left out."""
    stacks: Counter[Stack] = Counter()
    for line in raw.splitlines():
        frames, _, samples = line.rpartition(" ")
        stack = [_shortened(frame) for frame in frames.split(";")]
        places = [place for place, frame in enumerate(stack) if frame.startswith(LOOP)]
        if places:
            inner = tuple(frame for frame in stack[places[0] + 1 :] if not SCAFFOLD.search(frame))
            stacks[inner] += int(samples)
    return stacks


def _shortened(frame: str) -> str:
    return re.sub(r"\((?:.*/)?site-packages/", "(", frame).replace("BaseEventLoop.", "")


def component(stack: Stack) -> str:
    """Which one the time of a stack belongs to."""
    whole = ";".join(stack)
    return next((name for name, pattern, _ in COMPONENTS if re.search(pattern, whole)), IDLE)


def by_component(stacks: Mapping[Stack, int]) -> Counter[str]:
    """Samples."""
    found: Counter[str] = Counter()
    for stack, samples in stacks.items():
        found[component(stack)] += samples
    return found


@dataclass(slots=True)
class _Node:
    samples: int = 0
    inner: dict[str, _Node] = field(default_factory=dict)


def drawn(stacks: Mapping[Stack, int], caption: str) -> str:
    """As SVG; the whole is at the top, what it calls below. Each box tells its share when pointed at."""
    root = _Node()
    for stack, samples in stacks.items():
        node = root
        node.samples += samples
        for frame in stack:
            node = node.inner.setdefault(frame, _Node())
            node.samples += samples
    boxes: list[str] = []
    depth = _draw(root, ("event loop",), 0.0, root.samples, boxes)
    height = ROW * (depth + 3)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" font-family="monospace"'
            ' font-size="10">',
            f'<text x="4" y="12">{escape(caption)}</text>',
            *boxes,
            "</svg>",
        ]
    )


def _draw(node: _Node, path: Stack, left: float, whole: int, boxes: list[str]) -> int:
    """Gives how many rows there are."""
    share = node.samples / whole
    x, y, width = left * WIDTH, ROW * (len(path) + 0.5), share * WIDTH
    name = path[-1]
    shown = name.split(" (")[0][: int(width / 6.2)]
    boxes.append(
        f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y:.1f}"'
        f' width="{max(width - 0.4, 0.2):.1f}" height="{ROW - 1:.0f}" fill="{_colour(path)}"/>'
        + (f'<text x="{x + 2:.1f}" y="{y + 10.5:.1f}">{escape(shown)}</text>' if len(shown) > 2 else "")
        + "</g>"
    )
    depth = len(path)
    for inner, child in sorted(node.inner.items(), key=lambda each: -each[1].samples):
        if child.samples / whole >= LEAST:
            depth = max(depth, _draw(child, (*path, inner), left, whole, boxes))
        left += child.samples / whole
    return depth


def _colour(path: Stack) -> str:
    known: Sequence[tuple[str, str]] = [(name, colour) for name, _, colour in COMPONENTS]
    return dict(known).get(component(path[1:]), OTHER_COLOUR)
