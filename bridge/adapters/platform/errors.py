"""The one place where what goes wrong at the platform is told by what the worker does next.

| what happened | becomes | why |
|---|---|---|
| 429 | Throttled `throttled` | it said so; its `Retry-After` is honoured |
| 5xx, 408, 425 | Retry `unavailable` | a fault of the platform or of a gateway |
| no or a cut connection, time-out | Retry `unreachable`, `connection_lost`, `timeout` | nobody knows what was done |
| 409 | Retry `conflict` | another writer was quicker |
| 2xx, but no answer in it | Retry `bad_page`, `bad_answer`, `bad_encoding`, `too_large` | as good as nothing |
| 401 | Blocked `unauthorized` | a new token kills the old one; somebody must bring it (trap 31) |
| 403 | Blocked `forbidden` | a right is missing |
| 404, 410 | Blocked `trigger_missing` | deleted, renamed, or a wrong base URL; heals when it is made again |
| 3xx | Blocked `redirected` | a token is not carried to where a redirect points (D20) |
| a certificate nobody vouches for | Blocked `tls_untrusted` | TLS is never weakened |
| 400, 422 and every other 4xx | Refused `refused` | our request will not heal by itself, but StopTrigger would need an
  operator even where the platform changed its mind; held and asked slowly, no data is lost and it is loud |

Messages quote the platform's own `message`, bounded, on one line, without the token; never a body or a URL (I10).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import msgspec

from bridge.domain.backoff import RETRY_AFTER_CAP_S
from bridge.domain.errors import Blocked, BridgeError, Refused, Retry, Throttled

MESSAGE_CHARS_MAX = 500
UNKNOWN_PATH_MESSAGE = "404 Not Found"
_BLOCKED = {
    HTTPStatus.UNAUTHORIZED: ("unauthorized", "the platform does not accept the token"),
    HTTPStatus.FORBIDDEN: ("forbidden", "the token lacks a right that this needs"),
    HTTPStatus.NOT_FOUND: ("trigger_missing", "the platform does not know this"),
    HTTPStatus.GONE: ("trigger_missing", "the platform no longer has this"),
}
_UNAVAILABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


class _ErrorBody(msgspec.Struct):
    message: str = ""


def refused(op: str, status: int, headers: Mapping[str, str], body: bytes, now: datetime, token: str) -> BridgeError:
    """What an answer other than 2xx means. `now` is wall time, for a `Retry-After` that is a date."""
    said = quoted(body, token)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = retry_after_s(headers, now)
        return Throttled(f"{op}: the platform asks for fewer requests{said}", code="throttled", retry_after_s=wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _UNAVAILABLE:
        wait_s = retry_after_s(headers, now)
        return Retry(f"{op}: the platform answered {status}{said}", code="unavailable", retry_after_s=wait_s)
    if status == HTTPStatus.CONFLICT:
        return Retry(f"{op}: the platform answered 409, a conflict{said}", code="conflict")
    return _blocked(op, status, said)


def _blocked(op: str, status: int, said: str) -> Blocked:
    if status < HTTPStatus.BAD_REQUEST:
        return Blocked(
            f"{op}: the platform answered {status}, a redirect, which is not followed: set base_url to where it points",
            code="redirected",
        )
    if status in _BLOCKED:
        code, sentence = _BLOCKED[HTTPStatus(status)]
        hint = (
            "; is base_url right?"
            if UNKNOWN_PATH_MESSAGE in said or (status == HTTPStatus.NOT_FOUND and not said)
            else ""
        )
        return Blocked(f"{op}: the platform answered {status}: {sentence}{said}{hint}", code=code)
    return Refused(f"{op}: the platform refused the request with {status}{said}", code="refused")


def quoted(body: bytes, token: str) -> str:
    """The platform's own words after a colon, or nothing where a body has none: a gateway's page is not repeated."""
    try:
        message = msgspec.json.decode(body, type=_ErrorBody).message
    except (ValueError, RecursionError):
        return ""
    return f": {one_line(message, token)}" if message else ""


def one_line(message: str, token: str) -> str:
    """Bounded, printable, and without the token, should a platform ever repeat it (I10)."""
    if token:
        message = message.replace(token, "***")
    printable = "".join(char if char.isprintable() else " " for char in message[: MESSAGE_CHARS_MAX + 1])
    return printable if len(printable) <= MESSAGE_CHARS_MAX else printable[:MESSAGE_CHARS_MAX] + "…"


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The platform's wish in seconds, capped; None where it has none that can be read.

    A date is taken relative to the answer's own `Date`, so that neither clock need be right.
    """
    wish = headers.get("retry-after", "").strip()
    if wish.isascii() and wish.isdigit():
        return min(float(wish), RETRY_AFTER_CAP_S)
    until = _http_date(wish)
    if until is None:
        return None
    since = _http_date(headers.get("date", "")) or now
    return min(max(0.0, (until - since).total_seconds()), RETRY_AFTER_CAP_S)


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def failed(op: str, error: Exception) -> BridgeError:
    """What an exception of the HTTP library or of its connection means. Its text stays out: it may quote the answer."""
    name = type(error).__name__
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Blocked(
                f"{op}: the platform's certificate is not trusted ({cause.verify_message})", code="tls_untrusted"
            )
    match error:
        case httpx.ConnectTimeout():
            return Retry(f"{op}: the platform cannot be reached in time", code="unreachable")
        case httpx.TimeoutException() | TimeoutError():
            return Retry(f"{op}: the platform did not answer in time ({name})", code="timeout")
        case httpx.ConnectError() | httpx.ProxyError():
            return Retry(f"{op}: the platform cannot be reached ({_os_words(error) or name})", code="unreachable")
        case httpx.DecodingError():
            return Retry(f"{op}: the answer's compression is broken", code="bad_encoding")
        case _:
            return Retry(f"{op}: the connection broke before the answer was whole ({name})", code="connection_lost")


def _os_words(error: Exception) -> str:
    """What the operating system said, such as `Connection refused`."""
    return next((cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(seen, BaseExceptionGroup):
            for inner in seen.exceptions:
                yield from _causes(inner)
        seen = seen.__cause__ or seen.__context__
