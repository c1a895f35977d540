"""The client before servers that cut, hang, flood and lie: each await ends, each end has its meaning."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.source import PlatformSource
from bridge.domain.errors import Blocked, Retry, Throttled
from bridge.domain.model import SequenceId, TriggerRef
from tests.contract.source.rough import Misdeed, drips, floods, hangs, ok, resets, rough_server, says
from tests.contract.source.worlds import settled_at
from tests.unit.platform.pages import page_of, raw_result, sequence_ids

REF = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
PAGE = page_of(*[raw_result(number) for number in range(3)])
SHORT_S = 0.2


def client_of(port: int, *, scheme: str = "http", timeout_s: float = 5.0, **more: float | int) -> PlatformClient:
    settings = PlatformSettings(
        base_url=f"{scheme}://127.0.0.1:{port}/prefix",
        token="t0ken",
        timeout_s=timeout_s,
        requests_per_s_max=1000,
        **more,  # type: ignore[arg-type]
    )
    return PlatformClient(settings, SystemClock())


@pytest.mark.parametrize(
    ("misdeed", "code"),
    [
        pytest.param(says(ok(PAGE)[:-40], then_close=True), "connection_lost", id="cut body"),
        pytest.param(says(ok(PAGE)[:30], then_close=True), "connection_lost", id="cut head"),
        pytest.param(says(b"", then_close=True), "connection_lost", id="no answer"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}   \r\n", then_close=True),
            "connection_lost",
            id="cut chunks",
        ),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
            "connection_lost",
            id="bad chunk",
        ),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "connection_lost", id="no HTTP"),
        pytest.param(says(b"\x00\xff" * 500 + b"\r\n\r\n"), "connection_lost", id="garbage"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"), "connection_lost", id="endless header"
        ),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"), "connection_lost", id="bad length"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE[:-40], then_close=True), "bad_page", id="cut without length"
        ),
        pytest.param(says(ok(b"<html></html>")), "bad_page", id="a page of another kind"),
        pytest.param(says(ok(b"")), "bad_page", id="nothing"),
        pytest.param(says(b"HTTP/1.1 204 No Content\r\n\r\n"), "bad_page", id="no content"),
        pytest.param(says(ok(PAGE, more=b"content-encoding: gzip\r\n")), "bad_encoding", id="not gzip"),
        pytest.param(resets, "connection_lost", id="reset"),
        pytest.param(floods, "too_large", id="flood"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"), "too_large", id="long announced"),
    ],
)
async def test_each_misdeed_is_asked_again_and_nothing_else(misdeed: Misdeed, code: str) -> None:
    async with rough_server(misdeed) as server, client_of(server.port, response_bytes_max=4_000_000) as client:
        with pytest.raises(Retry) as caught:
            await client.fetch(REF, 8)
        assert caught.value.code == code
        assert "\xff" not in str(caught.value)
        server.misdeed = says(ok(PAGE))
        assert len((await client.fetch(REF, 8)).results) == 3


@pytest.mark.parametrize("misdeed", [hangs, drips], ids=["hangs", "drips"])
async def test_no_answer_is_waited_for_longer_than_the_time_out(misdeed: Misdeed) -> None:
    """Each byte of the drip comes in time; the whole does not."""
    async with rough_server(misdeed) as server, client_of(server.port, timeout_s=SHORT_S) as client:
        with pytest.raises(Retry) as caught:
            await client.fetch(REF, 8)
        assert caught.value.code == "timeout"
        server.misdeed = says(ok(PAGE))
        assert len((await client.fetch(REF, 8)).results) == 3


async def test_d15_an_advance_has_a_shorter_time_out_of_its_own() -> None:
    async with rough_server(hangs) as server, client_of(server.port, timeout_s=60, advance_timeout_s=SHORT_S) as client:
        with pytest.raises(Retry) as caught:
            await client.advance(REF, SequenceId("s"))
        assert caught.value.code == "timeout"


async def test_d15_an_advance_does_not_wait_in_the_queue_beyond_its_time_out() -> None:
    async with (
        rough_server(hangs) as server,
        client_of(server.port, timeout_s=60, advance_timeout_s=SHORT_S, requests_in_flight_max=1) as client,
    ):
        hanging = asyncio.ensure_future(client.fetch(REF, 8))
        while not server.requests:
            await asyncio.sleep(0)
        with pytest.raises(Throttled) as caught:
            await client.advance(REF, SequenceId("s"))
        assert caught.value.code == "budget"
        assert len(server.requests) == 1
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_an_error_is_told_by_its_status_even_when_its_body_is_cut() -> None:
    answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\n{"
    async with rough_server(says(answer, then_close=True)) as server, client_of(server.port) as client:
        with pytest.raises(Blocked) as caught:
            await client.fetch(REF, 8)
        assert caught.value.code == "forbidden"


async def test_nobody_listening_is_unreachable_and_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client_of(taken.getsockname()[1]) as client:
            with pytest.raises(Retry, match=r"Connect call failed|refused|attempts failed") as caught:
                await client.fetch(REF, 8)
    assert caught.value.code == "unreachable"


async def test_plain_text_where_tls_was_meant_is_unreachable() -> None:
    greeting = b"220 mail.example ESMTP\r\n"
    async with (
        rough_server(hangs, greeting=greeting) as server,
        client_of(server.port, scheme="https") as client,
    ):
        with pytest.raises(Retry) as caught:
            await client.fetch(REF, 8)
        assert caught.value.code == "unreachable"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command to make a certificate")
async def test_d20_a_certificate_nobody_vouches_for_gets_no_token(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    async with (
        rough_server(says(ok(PAGE)), (certificate, key)) as server,
        client_of(server.port, scheme="https") as client,
    ):
        with pytest.raises(Blocked, match="certificate is not trusted") as caught:
            await client.fetch(REF, 8)
        assert caught.value.code == "tls_untrusted"
        assert server.requests == []


async def test_a_proxy_of_the_environment_is_used_but_never_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rough_server(says(ok(PAGE))) as platform, rough_server(says(ok(PAGE))) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with client_of(platform.port) as client:
            await client.fetch(REF, 8)
        assert (len(platform.requests), len(proxy.requests)) == (1, 0)
        settings = PlatformSettings(base_url="http://platform.test", token="t0ken", allow_insecure=True, timeout_s=5.0)
        async with PlatformClient(settings, SystemClock()) as client:
            await client.fetch(REF, 8)
        assert proxy.requests[0].startswith(b"POST http://platform.test/api/v1/datasets/")


async def test_a_connection_the_server_closes_between_two_requests_costs_nothing() -> None:
    async with rough_server(says(ok(PAGE), then_close=True)) as server, client_of(server.port) as client:
        for _ in range(3):
            assert len((await client.fetch(REF, 8)).results) == 3
            await asyncio.sleep(0.01)
    assert server.connections == 3


async def test_connections_are_kept_and_shared() -> None:
    async with rough_server(says(ok(PAGE))) as server, client_of(server.port, requests_in_flight_max=2) as client:
        await asyncio.gather(*(client.fetch(REF, 8) for _ in range(10)))
    assert server.connections <= 2


async def test_a_cancelled_fetch_leaves_the_client_whole() -> None:
    async with rough_server(hangs) as server, client_of(server.port, requests_in_flight_max=1) as client:
        for _ in range(3):
            task = asyncio.ensure_future(client.fetch(REF, 8))
            before = len(server.requests)
            while len(server.requests) == before:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.misdeed = says(ok(PAGE))
        assert len((await client.fetch(REF, 8)).results) == 3


async def test_an_advance_answered_with_another_position_is_not_done() -> None:
    answer = ok(b'{"status":"ok","sequence_id":"elsewhere"}')
    async with rough_server(says(answer)) as server, client_of(server.port) as client:
        with pytest.raises(Retry) as caught:
            await PlatformSource(client).advance(REF, settled_at(SequenceId("here")))
        assert caught.value.code == "advance_not_echoed"
        server.misdeed = says(ok(b'{"status":"ok"}'))
        await PlatformSource(client).advance(REF, settled_at(SequenceId("here")))


async def test_i8_a_page_too_large_is_asked_for_in_halves_down_to_one_result_and_grows_again() -> None:
    small = ok(page_of(raw_result(1)))
    async with rough_server(floods) as server, client_of(server.port, response_bytes_max=100_000) as client:
        source = PlatformSource(client)
        for _ in range(3):
            with pytest.raises(Retry):
                await source.fetch(REF, 8)
        with pytest.raises(Blocked) as caught:
            await source.fetch(REF, 8)
        assert caught.value.code == "too_large"
        server.misdeed = says(small)
        sizes = [(await source.fetch(REF, 8)).size_asked for _ in range(5)]
        assert sequence_ids(await source.fetch(REF, 8)) == ["seq-1"]
        assert sizes == [1, 2, 4, 8, 8]
    asked = [request.rpartition(b"\r\n\r\n")[2] for request in server.requests[:4]]
    assert asked == [b'{"size": 8}', b'{"size": 4}', b'{"size": 2}', b'{"size": 1}']
