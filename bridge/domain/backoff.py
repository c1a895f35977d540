"""How long to wait after a failure, as a function of it, of how often it came in a row and of one random number."""

from __future__ import annotations

from bridge.domain.errors import Blocked, BridgeError

RETRY_BASE_S = 0.25
RETRY_CAP_S = 30.0
BLOCKED_BASE_S = 2.0
BLOCKED_CAP_S = 60.0
RETRY_AFTER_CAP_S = 900.0
"""A platform that asks for more than a quarter of an hour is asked again after that: a wrong clock must not park us."""


def backoff_s(error: BridgeError, failures_in_a_row: int, jitter: float) -> float:
    """Seconds until the next attempt; `failures_in_a_row` is 1 for the first, `jitter` is 0 to 1.

    Full jitter over a doubling ceiling for what may work the next time; slow and half-jittered for what somebody must
    change first, so that it heals without help but does not knock all day. A wish of the platform is a lower bound.
    """
    doublings = min(failures_in_a_row - 1, 20)
    if isinstance(error, Blocked):
        ceiling = min(BLOCKED_CAP_S, BLOCKED_BASE_S * 2.0**doublings)
        wait = ceiling / 2 + ceiling / 2 * jitter
    else:
        wait = min(RETRY_CAP_S, RETRY_BASE_S * 2.0**doublings) * jitter
    return max(wait, min(error.retry_after_s or 0.0, RETRY_AFTER_CAP_S))


BEAT_S = 0.05
"""Of long intervals; a fortieth of short ones, which are short for a reason."""


def poll_wait_s(poll_interval_s: float, jitter: float, now_s: float) -> float:
    """The idle sleep: the interval at most, up to a tenth less, so that many triggers do not poll in step (D8a).

    It ends on a beat that all triggers of a process share (`now_s` is monotonic): a few that wake together cost
    less than one by one.
    """
    beat_s = min(BEAT_S, poll_interval_s / 40)
    due_s = now_s + poll_interval_s * (1.0 - 0.1 * jitter)
    return max(0.0, due_s - due_s % beat_s - now_s)
