"""What each refusal of the platform makes the worker do next, and what it does not say (I10)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bridge.adapters.platform.errors import MESSAGE_CHARS_MAX, retry_after_s
from bridge.domain.backoff import RETRY_AFTER_CAP_S
from bridge.domain.errors import Blocked, BridgeError, Refused, Retry, Throttled
from bridge.domain.model import SequenceId
from tests.unit.platform.answering import REF, TOKEN, Answer, Platform, client_of

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GATEWAY_PAGE = b"<html><body>Sorry, Ms Smith of 3 High Street</body></html>"


async def failure_of(answer: Answer) -> BridgeError:
    async with client_of(Platform(answer)) as client:
        with pytest.raises(BridgeError) as caught:
            await client.fetch(REF, 8)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (300, Blocked, "redirected"),
        (301, Blocked, "redirected"),
        (307, Blocked, "redirected"),
        (400, Refused, "refused"),
        (401, Blocked, "unauthorized"),
        (402, Refused, "refused"),
        (403, Blocked, "forbidden"),
        (404, Blocked, "trigger_missing"),
        (405, Refused, "refused"),
        (408, Retry, "unavailable"),
        (409, Retry, "conflict"),
        (410, Blocked, "trigger_missing"),
        (413, Refused, "refused"),
        (422, Refused, "refused"),
        (425, Retry, "unavailable"),
        (429, Throttled, "throttled"),
        (500, Retry, "unavailable"),
        (502, Retry, "unavailable"),
        (503, Retry, "unavailable"),
        (504, Retry, "unavailable"),
        (599, Retry, "unavailable"),
    ],
)
@pytest.mark.parametrize("body", [{"status": "error", "message": "the reason"}, b"", GATEWAY_PAGE, b"\xff\x00", b"[]"])
async def test_trap_33_each_status_has_one_meaning_whatever_the_body(
    status: int, kind: type[BridgeError], code: str, body: object
) -> None:
    error = await failure_of(Answer(status=status, body=body))
    assert (type(error), error.code) == (kind, code)
    assert str(status) in str(error) or code == "throttled"
    assert "Smith" not in str(error)
    if isinstance(body, dict) and code != "redirected":
        assert "the reason" in str(error)


async def test_an_error_in_a_success_is_no_success() -> None:
    error = await failure_of(Answer(status=200, body={"status": "error", "message": "no"}))
    assert (type(error), error.code) == (Retry, "bad_page")


async def test_a_redirect_is_not_followed() -> None:
    platform = Platform(Answer(status=307, headers={"location": "https://elsewhere.test/"}))
    async with client_of(platform) as client:
        with pytest.raises(Blocked) as caught:
            await client.fetch(REF, 8)
    assert caught.value.code == "redirected"
    assert len(platform.asked) == 1
    assert "elsewhere" not in str(caught.value)


async def test_trap_36_an_unknown_path_points_at_the_base_url() -> None:
    error = await failure_of(Answer(status=404, body={"status": "error", "message": "404 Not Found"}))
    assert "base_url" in str(error)
    error = await failure_of(Answer(status=404, body={"status": "error", "message": "no trigger dispute"}))
    assert "base_url" not in str(error)


async def test_i10_the_platforms_words_are_bounded_one_line_and_without_the_token() -> None:
    message = f"bad token {TOKEN}\r\n\x1b[31m" + "x" * 10_000
    error = await failure_of(Answer(status=400, body={"status": "error", "message": message}))
    assert TOKEN not in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < MESSAGE_CHARS_MAX + 100


async def test_a_token_across_the_bound_does_not_leave_half_of_itself() -> None:
    message = "x" * (MESSAGE_CHARS_MAX - 4) + TOKEN
    error = await failure_of(Answer(status=400, body={"status": "error", "message": message}))
    assert TOKEN[:4] not in str(error)


@pytest.mark.parametrize("message", [None, 7, {"text": "x"}, "\ud800"])
async def test_an_odd_message_is_left_out(message: object) -> None:
    error = await failure_of(Answer(status=500, body=json.dumps({"status": "error", "message": message}).encode()))
    assert error.code == "unavailable"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "99999999"}, RETRY_AFTER_CAP_S),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 05 Jan 2026 09:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2026 08:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 05 Jan 2099 09:00:00 GMT"}, RETRY_AFTER_CAP_S),
        ({"retry-after": "Mon, 05 Jan 2026 09:00:30 -0000"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2030 09:00:30 GMT", "date": "Mon, 05 Jan 2030 09:00:10 GMT"}, 20.0),
        ({"retry-after": "Mon, 99 Jan 2026 09:00:30 GMT"}, None),
    ],
)
def test_the_platforms_wish_is_read_in_both_forms_and_capped(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


async def test_throttled_carries_the_wish_and_so_does_an_outage() -> None:
    for status in (429, 503):
        error = await failure_of(Answer(status=status, headers={"retry-after": "7"}))
        assert error.retry_after_s == 7.0
    assert (await failure_of(Answer(status=429))).retry_after_s is None


async def test_after_a_429_every_caller_waits_until_the_time_is_over() -> None:
    platform = Platform(Answer(status=429, headers={"retry-after": "60"}))
    async with client_of(platform) as client:
        for code in ("throttled", "held", "held"):
            with pytest.raises(Throttled) as caught:
                await client.advance(REF, SequenceId("s"))
            assert caught.value.code == code
            assert caught.value.retry_after_s == 60.0
    assert len(platform.asked) == 1


async def test_a_short_pause_is_waited_out() -> None:
    platform = Platform(Answer(status=429, headers={"retry-after": "2"}), Answer())
    async with client_of(platform) as client:
        with pytest.raises(Throttled):
            await client.advance(REF, SequenceId("s"))
        await client.advance(REF, SequenceId("s"))
    assert len(platform.asked) == 2
