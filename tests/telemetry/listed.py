"""The list of metrics as a file. `python -m tests.telemetry.listed` writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.telemetry.office import every_metric, families, telemetry

LIST = Path(__file__).with_name("metrics.txt")


def as_text(found: Mapping[str, tuple[str, str, frozenset[str]]]) -> str:
    """One metric a line: name, kind, labels, help. The unit is the end of the name."""
    lines = [
        f"{name} | {kind} | {', '.join(sorted(labels))} | {documentation}"
        for name, (kind, documentation, labels) in sorted(found.items())
    ]
    return "\n".join(lines) + "\n"


def listed() -> dict[str, tuple[str, frozenset[str]]]:
    """Kind and labels by name, from the file."""
    rows = [line.split(" | ") for line in LIST.read_text().splitlines()]
    return {name: (kind, frozenset(filter(None, labels.split(", ")))) for name, kind, labels, _ in rows}


async def main() -> None:
    with telemetry() as told:
        await every_metric(told)
        LIST.write_text(as_text(families()))


if __name__ == "__main__":
    asyncio.run(main())
