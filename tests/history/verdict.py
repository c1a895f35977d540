"""What the checker says of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from typing_extensions import override

SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken invariant of the design, by its number; `code` is what the tests of the checker ask for."""

    invariant: str
    code: str
    trigger: str
    about: str

    @override
    def __str__(self) -> str:
        return f"{self.invariant} {self.code} ({self.trigger}): {self.about}"


@dataclass(slots=True, kw_only=True)
class Figures:
    """Counts of a run. `duplicates` are by cause; `first_deliveries` count every expected record once."""

    results: int = 0
    records: int = 0
    first_deliveries: int = 0
    advances: int = 0
    resets: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            results=self.results + other.results,
            records=self.records + other.records,
            first_deliveries=self.first_deliveries + other.first_deliveries,
            advances=self.advances + other.advances,
            resets=self.resets + other.resets,
            kills=self.kills + other.kills,
            duplicates=self.duplicates + other.duplicates,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Clean when there is no violation."""

    violations: tuple[Violation, ...]
    figures: Figures

    @property
    def codes(self) -> frozenset[str]:
        """Which kinds of violation there are."""
        return frozenset(violation.code for violation in self.violations)

    def explained(self) -> str:
        """The first violations, a line each, for the message of an assertion."""
        shown = map(str, self.violations[:SHOWN_MAX])
        return "\n".join([*shown, f"{len(self.violations)} in all; {self.figures}"])
