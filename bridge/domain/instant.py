"""Instants as the platform writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 instant; one without a zone is UTC, as the platform reads it. None where it is not one."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
