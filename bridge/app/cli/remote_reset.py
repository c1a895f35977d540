"""A replay followed from afar, until it is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bridge.app.cli.admin_link import Admin, RefusedError
from bridge.app.cli.exits import Exit
from bridge.app.cli.remote_views import console_for, reset_sentence
from bridge.ports import Clock

LOOK_EVERY_S = 1.0
SILENT_S_MAX = 120.0
"""While its owner moves to another replica, nobody may answer for as long as a session and a start take."""
OVER = frozenset({"done", "failed", "cancelled"})


def wished(
    to: datetime | None, until: datetime | None, topic_prefix: str, reason: str, *, allow_skip: bool
) -> dict[str, object]:
    """The body of the request; only what was asked for, so that an older bridge understands it as well."""
    given = {
        "to_comment_created_at": to.isoformat() if to else "",
        "until": until.isoformat() if until else "",
        "topic_prefix": topic_prefix,
        "reason": reason,
        "allow_skip": allow_skip,
    }
    return {name: value for name, value in given.items() if value}


async def follow(admin: Admin, clock: Clock, trigger: str, reset: dict[str, Any]) -> dict[str, Any]:
    """The reset once it is over. Its phases are told on stderr, on a terminal with a bar.

    Raises RefusedError where the bridge refuses to say, or has not answered for long.
    """
    console = console_for(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("replay", total=None, said="")
        told = ""
        while True:
            phase = str(reset.get("phase"))
            if phase != told and not console.is_terminal:
                console.print(f"{trigger}: {reset_sentence(reset)}")
            told = phase
            _draw(progress, task, reset)
            if phase in OVER:
                return reset
            await clock.sleep(LOOK_EVERY_S)
            reset = await _asked(admin, clock, trigger, str(reset["id"]))


async def _asked(admin: Admin, clock: Clock, trigger: str, reset_id: str) -> dict[str, Any]:
    silent_since_s = clock.monotonic_s()
    while True:
        try:
            return await admin.get("triggers", trigger, "resets", reset_id)
        except RefusedError as refused:
            is_silent = refused.exit_code is Exit.NEIGHBOUR_MISSING
            if not is_silent or clock.monotonic_s() - silent_since_s > SILENT_S_MAX:
                raise
        await clock.sleep(LOOK_EVERY_S)


def _draw(progress: Progress, task: TaskID, reset: dict[str, Any]) -> None:
    share = reset.get("share_replayed")
    progress.update(
        task,
        description=str(reset.get("phase")),
        total=None if share is None else 1.0,
        completed=share or 0.0,
        said=f"{reset.get('replayed', 0)} results",
    )
