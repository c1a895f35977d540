"""Times on the wire: any ISO 8601 in, one form out."""

from datetime import UTC, datetime, timedelta

from bridge.sandbox.errors import bad_request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1950, 1, 1, tzinfo=UTC)
AFTER_LATEST = datetime(2050, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """A time without a zone is UTC; years outside 1950 to 2049 are refused (ApiError 400)."""
    try:
        parsed = datetime.fromisoformat(text)
        aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_request(f"{text!r} is not a 'date-time'") from error
    if not EARLIEST <= aware < AFTER_LATEST:
        raise bad_request(f"{text!r} is not between 1950-01-01 and 2049-12-31")
    return aware


def print_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def normal_time(text: str) -> str:
    """The printed form of any accepted time."""
    return print_time(parse_time(text))


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down: the grain of positions."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def print_ms(ms: int) -> str:
    return print_time(EPOCH + timedelta(milliseconds=ms))
