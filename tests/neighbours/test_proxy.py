"""The bad link does what it says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.neighbours.proxy import CLEAR, Proxy, Weather

WAIT_S = 5.0


class Echo:
    """Answers every connection with what it says, until it is told that no more comes."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                while data := connection.recv(1024):
                    self.heard += data
                    connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    made = Proxy.start(echo.port)
    yield made
    made.stop()


def connected(proxy: Proxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S)
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    return client


def test_a_clear_link_passes_everything_on(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"y" * 100_000)
        got = 0
        while got < 100_000:
            got += len(client.recv(65_536))


def test_a_slow_link_takes_its_time_and_is_quick_when_healed(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.become(Weather(delay_s=0.2))
        began_s = time.monotonic()
        client.sendall(b"y")
        assert client.recv(1) == b"y"
        assert time.monotonic() - began_s >= 0.4
        proxy.become(Weather(bytes_per_s=10))
        client.sendall(b"z" * 1_000)
        proxy.become(CLEAR)
        assert client.recv(1) == b"z"


def test_a_stalled_link_holds_back_and_delivers_when_healed(proxy: Proxy, echo: Echo) -> None:
    with connected(proxy) as client:
        proxy.become(Weather(is_stalled=True))
        client.sendall(b"y")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert echo.heard == b"x"
        proxy.become(CLEAR)
        client.settimeout(WAIT_S)
        assert client.recv(1) == b"y"


def test_a_mute_link_delivers_and_loses_the_answer(proxy: Proxy, echo: Echo) -> None:
    with connected(proxy) as client:
        proxy.become(Weather(is_mute=True))
        client.sendall(b"y")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert echo.heard == b"xy"


def test_a_cut_link_is_reset(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.cut()
        with pytest.raises(ConnectionError):
            client.recv(1)


def test_a_half_closed_link_tells_one_side(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.half_close(towards_client=True)
        assert client.recv(1) == b""
        client.sendall(b"y")


def test_a_shut_link_takes_no_more_connections(proxy: Proxy) -> None:
    proxy.become(Weather(is_shut=True))
    at = ("127.0.0.1", proxy.port)
    with contextlib.suppress(ConnectionError), socket.create_connection(at, timeout=WAIT_S) as client:
        assert client.recv(1) == b""
