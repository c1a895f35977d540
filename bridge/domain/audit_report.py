"""What an audit found, per trigger and generation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from bridge.domain.owed import PlatformFound

SAMPLES_MAX = 20


class FaultKind(Enum):
    """What is wrong with a record or with the lack of one."""

    LOST = "lost"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    OLD_GENERATION = "old_generation"
    UNACCOUNTED = "unaccounted"


class Cause(Enum):
    """What the topics themselves say of a second copy (I5)."""

    OTHER_PRODUCER = "other_producer"
    """Another producer wrote it: the one before had been given up in doubt, or its process had ended unmarked."""

    NONE = "none"
    """The same producer wrote both: the marks were lost in between, or it is a defect. Nothing on the topics tells."""

    IN_TRANSACTIONS = "in_transactions"
    """Both are committed transactions: a defect, whoever wrote them."""

    @property
    def excuses(self) -> bool:
        """A repeat that at_least_once may make."""
        return self is Cause.OTHER_PRODUCER


class Fault(NamedTuple):
    """One of them; `where` names a record as topic/partition/offset, or a batch by its sequence ids."""

    kind: FaultKind
    where: str
    detail: str
    ce_id: str = ""


@dataclass(slots=True, kw_only=True)
class Audited:
    """One trigger in one generation.

    `lost` is None where nothing that was read can tell. `complete_up_to` is a batch id of the platform, from the last
    position record; `newest_created_at` the youngest upload time among the records. `keys_moved` are keys found in
    several partitions of a topic: across those there is no order to judge. Of `unread_routes` nothing is known:
    position records speak of them, and no topic that was read has any. `platform` is None where it was not asked and
    for all generations but the current one: a comment that any generation carried is not lost.
    """

    trigger: str
    identity: str
    generation: int
    is_current: bool = False
    records: int = 0
    results: int = 0
    redriven: int = 0
    in_transactions: int = 0
    by_topic: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    lost: int | None = None
    unaccounted: int = 0
    duplicates: Counter[Cause] = field(default_factory=Counter)
    out_of_order: int = 0
    old_generation: int = 0
    keys_moved: int = 0
    unread_routes: set[str] = field(default_factory=set)
    undated: int = 0
    positions: int = 0
    complete_up_to: str = ""
    complete_at_ms: int = 0
    newest_created_at: str = ""
    newest_created_us: int = -1
    samples: list[Fault] = field(default_factory=list)
    platform: PlatformFound | None = None

    @property
    def routes(self) -> frozenset[str]:
        """Those it has records of."""
        return frozenset(route for _, route in self.by_topic)

    @property
    def unexcused(self) -> int:
        """Duplicates without a cause."""
        return sum(count for cause, count in self.duplicates.items() if not cause.excuses)

    @property
    def is_fine(self) -> bool:
        """Nothing is lost, twice without a cause, or out of order."""
        faults = self.lost or self.unaccounted or self.unexcused or self.out_of_order or self.old_generation
        return not (faults or (self.platform and self.platform.lost))

    def note(self, fault: Fault) -> None:
        """Keep it as a sample while there is room; counting is the caller's."""
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(fault)

    def as_json(self) -> dict[str, object]:
        """Counts, never contents (I10)."""
        return {
            "trigger": self.trigger,
            "identity": self.identity,
            "generation": self.generation,
            "current": self.is_current,
            "fine": self.is_fine,
            "records": self.records,
            "results": self.results,
            "dead_letters": dict(self.reasons),
            "redriven": self.redriven,
            "in_transactions": self.in_transactions,
            "routes": [
                {"topic": topic, "route": route, "records": count}
                for (topic, route), count in sorted(self.by_topic.items())
            ],
            "lost": self.lost,
            "unaccounted": self.unaccounted,
            "duplicates": {cause.value: self.duplicates[cause] for cause in Cause},
            "out_of_order": self.out_of_order,
            "old_generation": self.old_generation,
            "keys_moved": self.keys_moved,
            "undated": self.undated,
            "unread_routes": sorted(self.unread_routes),
            "position_records": self.positions,
            "complete_up_to": self.complete_up_to or None,
            "newest_created_at": self.newest_created_at or None,
            **({"platform": self.platform.as_json()} if self.platform else {}),
            "samples": [
                {"kind": each.kind.value, "where": each.where, "detail": each.detail, "ce_id": each.ce_id}
                for each in self.samples
            ],
        }
