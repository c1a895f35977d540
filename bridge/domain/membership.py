"""How long a member of a group can be sure that nobody else owns what it owns (D15)."""

from __future__ import annotations

MARGIN_S = 0.5
"""For what lies between looking and acting, and for two clocks that do not run equally fast."""


def sure_s(contact_s: float | None, session_s: float, now_s: float) -> float:
    """Seconds for which the membership is still sure to hold, negative once it may be over.

    `contact_s` is when the last request that the coordinator answered was sent, by the clock of `now_s`: the
    coordinator counts the session from when it came, which is later. None: it is not a member.
    """
    if contact_s is None:
        return -session_s
    return contact_s + session_s - MARGIN_S - now_s
