"""I10: text of messages, tokens and secrets go through every path, and none is in a log line, a span or a metric."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from aiokafka import errors as kafka_errors
from redis import exceptions as redis_errors

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.failures import translated as kafka_translated
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.source import PlatformSource
from bridge.adapters.redis_ledger.errors import retry_of
from bridge.app.config import load_config
from bridge.app.reload import ConfigFile, Reloader
from bridge.app.telemetry import Telemetry, set_up, trace_headers
from bridge.app.telemetry.logs import make_logger
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked, BridgeError
from bridge.domain.model import Generation
from bridge.domain.plan import DeliveryMode
from bridge.engine.cycle import Neighbours, run_cycle
from tests.fakes.plans import a_plan
from tests.fakes.results import raw_result
from tests.telemetry import collector as collectors
from tests.telemetry.collector import Collector
from tests.telemetry.office import scraped
from tests.unit.admin.office import OPERATE, READ, open_office
from tests.unit.config.files import GOOD
from tests.unit.engine.world import World

TEXT = "QUITTUNG-4711-vertraulich"
TOKEN = "tkn-b5f1c0ffee"
PASSWORD = "pw-0ddba11"
SECRETS = (TEXT, TOKEN, PASSWORD, READ, OPERATE)


@dataclass(slots=True)
class Watched:
    """All that can be seen of what `told` did."""

    told: Telemetry
    collector: Collector
    printed: Callable[[], str]
    log: str = ""

    def assert_silent(self, *, events: set[str]) -> None:
        """And not because nothing was said: these events were logged."""
        self.log += self.printed()
        metrics = scraped()
        self.told.close()
        spans = b"".join(self.collector.raw)
        said = {json.loads(line)["event"] for line in self.log.splitlines() if line.startswith("{")}
        assert events <= said, self.log
        for secret in SECRETS:
            assert secret not in self.log
            assert secret not in metrics
            assert secret.encode() not in spans


@pytest.fixture
async def watched(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    with collectors.by_http() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        for name, value in env.items():
            monkeypatch.setenv(name, value)

        def printed() -> str:
            shown = capsys.readouterr()
            return shown.out + shown.err

        yield Watched(set_up("test", "kafka:9092", env), collector, printed)


def telling(watched: Watched, world: World) -> World:
    world.signals = watched.told.signals
    return world


def a_secretive(world: World) -> None:
    """Results whose text is secret, one that is none, and one too large."""
    world.upload(3, text=TEXT)
    world.upload_raw(b'{"sequence_id":"bad","comment":"' + TEXT.encode() + b'"}')
    world.upload_raw(raw_result(99, {"Urgent": 0.9}, text=TEXT * 300))


@pytest.mark.parametrize("mode", list(DeliveryMode))
async def test_of_results_dead_letters_and_their_worker(watched: Watched, mode: DeliveryMode) -> None:
    world = telling(watched, World(a_plan(record_bytes_max=4_000, share=1.0, delivery=mode)))
    a_secretive(world)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        await supervisor.pause(world.plan.name, "ann", "month end")
        await world.clock.sleep(60)
    assert all(histogram.snapshot() for histogram in watched.told.signals.histograms)
    watched.assert_silent(events={"batch_advanced", "command_accepted", "state_changed"})
    assert {"create rpa.urgent", "create rpa.dead"} <= {span.name for span in watched.collector.spans}


async def test_of_sends_that_fail_and_of_defects_of_our_own(watched: Watched) -> None:
    world = telling(watched, World())
    world.upload(3, text=TEXT)
    world.log.fates[0] = (Outcome.UNKNOWN, False)

    async def defect(*_: object) -> None:
        raise ValueError(f"cannot read {TEXT} with {TOKEN}")

    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        world.source.fetch = defect  # type: ignore[method-assign,assignment]
        supervisor.worker(world.plan.name).wake()
        await world.clock.sleep(120)
    watched.assert_silent(events={"cycle_held", "cycle_defect", "batch_advanced"})


PLATFORM_ANSWERS = {
    # Its own words are told, for only they say what to change; a request has no text that they could repeat.
    "refused": (400, f'{{"status":"error","message":"size is not allowed, token {TOKEN}"}}'),
    "unauthorized": (401, f'{{"status":"error","message":"{TOKEN} is not valid"}}'),
    "forbidden": (403, TEXT),
    "missing": (404, TEXT),
    "throttled": (429, TEXT),
    "failing": (500, f"<html>{TEXT} Bearer {TOKEN}</html>"),
    "no json": (200, f'{{"status":"ok","results":[{{"comment":{{"text":"{TEXT}"'),
    "no page": (200, json.dumps({"status": "ok", "results": TEXT, "filtered": TEXT})),
}


@pytest.mark.parametrize("kind", PLATFORM_ANSWERS)
async def test_of_errors_of_the_platform(watched: Watched, kind: str) -> None:
    status, body = PLATFORM_ANSWERS[kind]
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, stream=httpx.ByteStream(body.encode()), headers={"Retry-After": "0"})

    await held_by_the_platform(watched, httpx.MockTransport(answer))
    assert TOKEN in asked[0].headers["authorization"], "it did go out"
    assert asked[0].headers["traceparent"].startswith("00-")


async def test_of_a_platform_that_cannot_be_reached(watched: Watched) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot connect with {TOKEN}: {TEXT}", request=request)

    await held_by_the_platform(watched, httpx.MockTransport(fail))


async def held_by_the_platform(watched: Watched, transport: httpx.MockTransport) -> None:
    world, signals = World(), watched.told.signals
    settings = PlatformSettings(base_url="https://platform.test", token=TOKEN)
    client = PlatformClient(
        settings,
        SystemClock(),
        transport=transport,
        trace_headers=trace_headers,
        on_answer=signals.platform_answered,
    )
    neighbours = Neighbours(
        source=PlatformSource(client),
        publisher=world.log,
        transactions=world.transactions,
        ledger=world.ledger,
        clock=world.clock,
    )
    with pytest.raises(BridgeError) as held:
        await run_cycle(world.plan, Generation(0), world.memory, neighbours, signals)
    await client.aclose()
    signals.failed(world.plan.name, held.value, 1, 0.1)
    watched.assert_silent(events={"trigger_blocked" if isinstance(held.value, Blocked) else "cycle_held"})


NEIGHBOURS = {
    "redis arguments": retry_of(redis_errors.ResponseError(f"unknown command 'AUTH' with args '{PASSWORD}' '{TEXT}'")),
    "redis address": retry_of(redis_errors.ConnectionError(f"redis://user:{PASSWORD}@redis:6379 refused")),
    "kafka login": kafka_translated(kafka_errors.SaslAuthenticationFailed(f"user x, {PASSWORD}"), "kafka"),
    "kafka refusal": kafka_translated(kafka_errors.KafkaError(f"record {TEXT}"), "kafka"),
    "kafka network": kafka_translated(OSError(f"connect {PASSWORD}"), "kafka"),
}


@pytest.mark.parametrize("kind", NEIGHBOURS)
async def test_of_errors_of_redis_and_kafka(watched: Watched, kind: str) -> None:
    world = telling(watched, World())
    world.upload(1, text=TEXT)
    world.log.refusals.append(NEIGHBOURS[kind])
    async with world.running():
        await world.until(lambda: world.pending == 0)
    assert not world.log.refusals
    watched.assert_silent(events={"batch_advanced"})
    assert any(span.status for span in watched.collector.spans)


async def test_of_bodies_of_the_admin_api(watched: Watched) -> None:
    world = telling(watched, World())
    world.upload(2, text=TEXT)
    whole = json.loads(raw_result(1, {"Urgent": 0.9}, text=TEXT))
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        await office.supervisor.pause(world.plan.name, "ann", "")
        world.upload(2, text=TEXT)
        at = "/api/v1/triggers/disputes"
        assert (await office.http.post(f"{at}/explain", json={"result": whole})).status_code == 200
        assert (await office.http.post(f"{at}/explain", json={"result": {"comment": TEXT}})).status_code == 422
        assert (await office.http.post(f"{at}/explain", content=TEXT)).status_code == 422
        assert (await office.http.post(f"{at}/resets", json={"to_comment_created_at": TEXT})).status_code == 422
        assert TEXT in (await office.http.get(f"{at}/peek")).text, "it does go out there"
        assert (await office.asking(TOKEN).get(at)).status_code == 401
        assert (await office.http.get(f"/api/v1/triggers/{TEXT}")).status_code == 404
    watched.assert_silent(events={"command_accepted", "batch_advanced"})


async def test_of_a_configuration_that_is_refused(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    good = GOOD.replace("${REINFER_TOKEN}", TOKEN)
    file.write_text(good)
    running = load_config(file, {})
    bad = good.replace("redis://redis:6379/0", f"rediss://me:{PASSWORD}@redis:not-a-port/0").replace("24h", "soon")
    file.write_text(bad.replace("security_protocol", "x") + f"\nplattform: {{token: {TOKEN}}}\n")
    world = World()
    reload = asyncio.Event()
    source = ConfigFile(path=file, load=lambda: load_config(file, {}), seen=None)
    reloader = Reloader(source, reload, world.clock, watched.told.signals)

    async def apply(*_: object) -> None:
        raise AssertionError("a bad file was taken over")

    task = asyncio.create_task(reloader.run(running, apply))
    reload.set()
    for _ in range(200):
        await asyncio.sleep(0.01)
        watched.log += watched.printed()
        if "config_refused" in watched.log:
            break
    task.cancel()
    watched.assert_silent(events={"config_refused"})


async def test_of_exceptions_that_libraries_log(watched: Watched) -> None:
    make_logger()  # on this phase's standard output: the one of the fixture's is closed by now

    async def lost() -> None:
        raise ValueError(f"{TEXT} {TOKEN}")

    task = asyncio.create_task(lost())
    await asyncio.wait([task])
    asyncio.get_running_loop().default_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    )
    try:
        raise RuntimeError(PASSWORD)
    except RuntimeError:
        logging.getLogger("some.library").exception("request failed")
    watched.assert_silent(events={"request failed", "Task exception was never retrieved"})
    lines = [json.loads(line) for line in watched.log.splitlines() if line.startswith("{")]
    assert {line["error_type"] for line in lines} == {"ValueError", "RuntimeError"}
