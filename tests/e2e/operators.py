"""What operators do to a deployment of several replicas while its processes come and go: they ask any of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from tests.e2e.bridge_process import OPERATE
from tests.e2e.field import MODES, Field, Replica

ASK_TIMEOUT_S = 8.0
OVER = ("done", "failed")
POLL_S = 0.2


@dataclass(slots=True)
class Operators:
    """`uploads` are the instants before which nothing of an upload was there: what a replay goes back to."""

    deployed: Field
    uploads: list[datetime] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODES, 0))

    def upload(self, count: int) -> None:
        """Mail has come."""
        self.uploads.append(datetime.now(UTC))
        time.sleep(0.002)  # the platform's instants have milliseconds
        self.deployed.platform.upload(count)

    def pause(self, dice: Random) -> None:
        self._ask(dice, "POST", f"{dice.choice(list(MODES))}/pause", {"reason": "soak"})

    def resume(self, dice: Random) -> None:
        self._ask(dice, "POST", f"{dice.choice(list(MODES))}/resume")

    def reset(self, dice: Random) -> None:
        """A replay of some of the mail so far; none where one is under way or nobody answers."""
        trigger = dice.choice(list(MODES))
        known = self.resets(dice, trigger)
        if known is None or any(each["phase"] not in OVER for each in known) or not self.uploads:
            return
        to = dice.choice(self.uploads[: max(1, len(self.uploads) * 3 // 4)])
        answer = self._ask(dice, "POST", f"{trigger}/resets", {"to_comment_created_at": to.isoformat()})
        self.accepted[trigger] += answer is not None and answer.status_code == 202

    def resets(self, dice: Random, trigger: str) -> list[dict[str, Any]] | None:
        """Newest first; None where nobody answers."""
        answer = self._ask(dice, "GET", f"{trigger}/resets")
        if answer is None or answer.status_code != 200:
            return None
        found: list[dict[str, Any]] = answer.json()["resets"]
        return found

    def resume_all(self, dice: Random, within_s: float) -> None:
        """Until each trigger is neither paused nor in a reset."""
        end_s = time.monotonic() + within_s
        while not all(self._is_free(dice, trigger) for trigger in MODES):
            assert time.monotonic() < end_s, f"not free after {within_s} s: {self.deployed.told()}"
            time.sleep(POLL_S)

    def replayed_to(self, dice: Random) -> Mapping[str, list[datetime]]:
        """The instants of the resets that took place, by trigger, in the order of their generations."""
        found: dict[str, list[datetime]] = {}
        for trigger in MODES:
            resets = self.resets(dice, trigger)
            assert resets is not None, "no replica answers"
            assert all(each["requested_by"] == "operate" for each in resets), f"a reset nobody asked for: {resets}"
            done = sorted((each for each in resets if each["phase"] == "done"), key=lambda each: each["generation"])
            assert [each["generation"] for each in done] == list(range(1, len(done) + 1)), resets
            found[trigger] = [datetime.fromisoformat(each["to_comment_created_at"]) for each in done]
        return found

    def _is_free(self, dice: Random, trigger: str) -> bool:
        answer = self._ask(dice, "GET", trigger)
        if answer is None or answer.status_code != 200:
            return False
        seen = answer.json()
        if seen["paused_by"] is not None:
            self._ask(dice, "POST", f"{trigger}/resume")
            return False
        return seen["reset"] is None

    def _ask(self, dice: Random, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """Any replica that is alive (D19); None where it gives no answer."""
        replica: Replica = dice.choice([each for each in self.deployed.replicas if each.life is not None])
        url = f"http://127.0.0.1:{replica.port}/api/v1/triggers/{path}"
        headers = {"Authorization": f"Bearer {OPERATE}"}
        try:
            answer = httpx.request(method, url, json=body, headers=headers, timeout=ASK_TIMEOUT_S)
        except httpx.HTTPError:
            return None
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer
