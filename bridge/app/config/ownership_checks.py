"""Time-outs that must fit together for triggers to be shared."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from bridge.app.config.checks import section
from bridge.app.config.document import Section
from bridge.app.config.file import GroupSection, PlatformSection
from bridge.app.config.findings import Findings
from bridge.app.config.shape import Closed, Timeout

ADVANCE_SHARE_MAX = 0.6
"""What is left of a session when heartbeats lag by three, and a margin."""


def check_ownership(file: Section, findings: Findings) -> None:
    """D15: a change of the position must be over before the group can give the trigger to somebody else."""
    if file.get("ownership") == "local":
        return
    platform, group = section(file, "platform"), section(file, "group")
    advance_s = seconds(platform, "advance_timeout", PlatformSection)
    session_s = seconds(group, "session_timeout", GroupSection)
    if advance_s is None or session_s is None or advance_s <= session_s * ADVANCE_SHARE_MAX:
        return
    path = (*platform.path, "advance_timeout") if "advance_timeout" in platform else (*group.path, "session_timeout")
    findings.error(
        path,
        "advance_too_slow",
        f"an advance may take {advance_s:g} s, and {session_s:g} s after a replica fell silent another one has its"
        f" triggers: keep advance_timeout to {ADVANCE_SHARE_MAX:.0%} of group.session_timeout",
    )


def seconds(around: Section, key: str, shape: type[Closed]) -> float | None:
    """The duration under a key, or its default; None for one that is refused for itself."""
    try:
        value = TypeAdapter(Timeout).validate_python(around[key]) if key in around else shape.model_fields[key].default
    except ValidationError:
        return None
    return float(value)
