"""The topics held against the position records (D3): what each transaction says it sent must be there, and no more.

Producer ids and epochs are in every batch of the log, so the records of one owner's tenure can be told from the next
one's: what its position records promise, summed by route, must be what it left on the topics. A compacted state topic
has let go of old ones; then the sums are a floor, and only a lack is proven.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bridge.domain.audit import Auditor
from bridge.domain.audit_report import Audited, Fault, FaultKind
from bridge.domain.position import Position
from bridge.domain.topic_record import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A position record as it was committed; `nth` counts those of its producer, from 0."""

    position: Position
    writer: Writer
    nth: int
    written_ms: int


@dataclass(slots=True)
class Tenure:
    """The promises of one producer in one generation, in order."""

    promises: list[Promise] = field(default_factory=list)

    @property
    def sums(self) -> Counter[str]:
        """Records by route."""
        return sum((Counter(each.position.records) for each in self.promises), Counter())

    @property
    def is_whole(self) -> bool:
        """None of its position records is compacted away."""
        return [each.nth for each in self.promises] == list(range(len(self.promises)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was read whole: records written between these times. `is_all_visible`: nothing hid behind a transaction."""

    since_ms: int
    until_ms: int
    is_all_visible: bool

    def holds(self, tenure: Tenure) -> bool:
        """All of it was written in the window."""
        return self.since_ms <= tenure.promises[0].written_ms and tenure.promises[-1].written_ms < self.until_ms


def hold_against(
    auditor: Auditor,
    before: Iterable[Promise],
    after: Iterable[Promise],
    window: Window,
    routes: Mapping[str, Collection[str]],
) -> None:
    """`before` and `after` were read before the topics and after them: what is lost is judged by the first, what is
    too much by the last, so that a service which goes on meanwhile is not accused.

    `routes` are the names whose topics were read, by trigger. What is promised for another route is not judged, unless
    records of it were found all the same: the configuration has changed, and nobody says which topic it went to.
    """
    for (identity, generation, writer), tenure in _tenures(before).items():
        audited = auditor.of(identity, generation)
        audited.positions += len(tenure.promises)
        last = tenure.promises[-1]
        if last.written_ms >= audited.complete_at_ms:
            audited.complete_up_to, audited.complete_at_ms = last.position.batch_id, last.written_ms
        if not window.holds(tenure) or not window.is_all_visible:
            continue
        there = auditor.committed_by(identity, generation, writer)
        lost = tenure.sums - there
        unread = lost.keys() - routes.get(identity, ()) - audited.routes
        audited.unread_routes |= unread
        lost = Counter({route: count for route, count in lost.items() if route not in unread})
        audited.lost = (audited.lost or 0) + lost.total()
        for route, count in lost.items():
            detail = f"{count} of the {tenure.sums[route]} records promised for route {route} are not there"
            audited.note(Fault(FaultKind.LOST, _spelled(tenure), detail))
    for (identity, generation, writer), tenure in _tenures(after).items():
        if window.holds(tenure) and tenure.is_whole:
            extra = auditor.committed_by(identity, generation, writer) - tenure.sums
            _note_unaccounted(auditor.of(identity, generation), tenure, extra)


def _note_unaccounted(audited: Audited, tenure: Tenure, extra: Counter[str]) -> None:
    audited.unaccounted += extra.total()
    for route, count in extra.items():
        detail = f"{count} committed records of route {route} that no position record speaks of"
        audited.note(Fault(FaultKind.UNACCOUNTED, _spelled(tenure), detail))


def _tenures(promises: Iterable[Promise]) -> dict[tuple[str, int, Writer], Tenure]:
    found: defaultdict[tuple[str, int, Writer], Tenure] = defaultdict(Tenure)
    for each in promises:
        found[each.position.trigger, each.position.generation, each.writer].promises.append(each)
    return found


def _spelled(tenure: Tenure) -> str:
    promises = tenure.promises
    return f"batches {promises[0].position.first} to {promises[-1].position.batch_id}"
