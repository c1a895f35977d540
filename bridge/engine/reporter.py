"""What this process shows the others of the triggers it works on: a report each, when it changed (D19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.domain.errors import BridgeError
from bridge.domain.model import TriggerName
from bridge.domain.status import REPORT_AGE_MAX_S, Report, Status
from bridge.ports import Bulletin, Clock
from bridge.signals import Signals

REPORT_EVERY_S = 2.0
REPORT_AT_LEAST_EVERY_S = REPORT_AGE_MAX_S / 3


class Reporter:
    """Beside the workers, never in their way: all reports of a moment are one batch, and a lost one is no loss."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[Status]],
        bulletin: Bulletin,
        clock: Clock,
        signals: Signals,
        owner: str,
    ) -> None:
        self._statuses = statuses
        self._bulletin = bulletin
        self._clock = clock
        self._signals = signals
        self._owner = owner
        self._posted: dict[TriggerName, Report] = {}
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
        if not news:
            return
        try:
            await self._bulletin.post(news)
        except BridgeError as error:
            if not self._is_failing:
                self._signals.service_failed("reports_not_posted", code=error.code, error=str(error))
            self._is_failing = True
        else:
            self._is_failing = False
            self._posted.update({report.status.name: report for report in news})

    def _is_news(self, report: Report) -> bool:
        posted = self._posted.get(report.status.name)
        if posted is None or (report.at - posted.at).total_seconds() >= REPORT_AT_LEAST_EVERY_S:
            return True
        return _lasting(report.status) != _lasting(posted.status)


def _lasting(status: Status) -> Status:
    """Without what every poll of an idle trigger changes."""
    return replace(status, last_progress=None, next_attempt=None)
