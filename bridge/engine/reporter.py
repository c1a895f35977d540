"""What this process shows the others of the triggers it works on: a report each, when it changed, and counts (D19)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bridge.domain.census import Census
from bridge.domain.counts import Counts, counts_of
from bridge.domain.errors import BridgeError
from bridge.domain.model import TriggerName
from bridge.domain.status import REPORT_AGE_MAX_S, Report, Status
from bridge.ports import Bulletin, Clock
from bridge.signals import Signals

REPORT_EVERY_S = 2.0
REPORT_AT_LEAST_EVERY_S = REPORT_AGE_MAX_S / 3
COUNTS_EVERY_S = 30.0
"""Histograms are a hundred times a report's size, and look the same for long."""
COUNTS_AT_LEAST_EVERY_S = 1_200.0
"""What is shown is kept for an hour."""
COUNTS_AT_ONCE_MAX = 20
"""Of the triggers, each time: hundreds that got busy at the same moment take turns."""


class Reporter:
    """Beside the workers, never in their way: all reports of a moment are one batch, and a lost one is no loss."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[Status]],
        censuses: Callable[[], Mapping[TriggerName, Census]],
        bulletin: Bulletin,
        clock: Clock,
        signals: Signals,
        owner: str,
    ) -> None:
        self._statuses = statuses
        self._censuses = censuses
        self._bulletin = bulletin
        self._clock = clock
        self._signals = signals
        self._owner = owner
        self._posted: dict[TriggerName, Report] = {}
        self._shown: dict[TriggerName, Counts] = {}
        self._is_failing = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(REPORT_EVERY_S)
            await self.post()

    async def post(self) -> None:
        """What changed, and what was not said for long."""
        now = self._clock.now()
        reports = [Report(status=status, owner=self._owner, at=now) for status in self._statuses()]
        self._posted = {
            report.status.name: posted for report in reports if (posted := self._posted.get(report.status.name))
        }
        news = [report for report in reports if self._is_news(report)]
        counts = self._due_counts(now)
        if not news and not counts:
            return
        try:
            await self._bulletin.post(news, counts)
        except BridgeError as error:
            if not self._is_failing:
                self._signals.service_failed("reports_not_posted", code=error.code, error=str(error))
            self._is_failing = True
        else:
            self._is_failing = False
            self._posted.update({report.status.name: report for report in news})
            self._shown.update({each.name: each for each in counts})

    def _is_news(self, report: Report) -> bool:
        posted = self._posted.get(report.status.name)
        if posted is None or (report.at - posted.at).total_seconds() >= REPORT_AT_LEAST_EVERY_S:
            return True
        return _lasting(report.status) != _lasting(posted.status)

    def _due_counts(self, now: datetime) -> list[Counts]:
        """Those shown longest ago first."""
        censuses = self._censuses()
        self._shown = {name: shown for name in censuses if (shown := self._shown.get(name))}
        due = [name for name, census in censuses.items() if _is_due(census, self._shown.get(name), now)]
        due.sort(key=lambda name: self._shown[name].at.timestamp() if name in self._shown else 0.0)
        return [counts_of(name, censuses[name], self._owner, now) for name in due[:COUNTS_AT_ONCE_MAX]]


def _is_due(census: Census, shown: Counts | None, now: datetime) -> bool:
    if shown is None:
        return census.results > 0
    age_s = (now - shown.at).total_seconds()
    is_other = (census.results, census.since) != (shown.results, shown.since)
    return age_s >= COUNTS_AT_LEAST_EVERY_S or (is_other and age_s >= COUNTS_EVERY_S)


def _lasting(status: Status) -> Status:
    """Without what every poll of an idle trigger changes."""
    return replace(status, last_progress=None, next_attempt=None)
