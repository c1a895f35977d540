"""How a demo can end badly; each is one sentence and an exit code (design section 7)."""

from __future__ import annotations


class DemoFailed(Exception):
    """It did not finish, or what it found is not right."""

    exit_code = 1


class BadInput(DemoFailed):
    """What was asked for cannot be done as written."""

    exit_code = 2


class NeighbourMissing(DemoFailed):
    """Something this machine lacks, or a given neighbour that does not answer."""

    exit_code = 3


def said(error: BaseException) -> str:
    """What it says, or what it is where it says nothing."""
    return str(error) or type(error).__name__
