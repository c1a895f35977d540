"""Remote commands against the real admin API over fakes: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from typing_extensions import override

from bridge.app.cli import admin_link, app_for
from bridge.app.cli.admin_link import Admin, RefusedError
from bridge.app.cli.exits import Exit
from bridge.app.cli.remote import cancelled, print_trace, rates_of, show
from bridge.app.cli.remote_reset import SILENT_S_MAX, follow, wished
from bridge.app.cli.remote_views import ago, span
from bridge.domain.model import TriggerName
from tests.fakes.plans import REF, a_plan
from tests.unit.admin.office import OPERATE, READ, Office, open_office
from tests.unit.engine.world import World

NAME = TriggerName("disputes")
BEGINNING = wished(datetime(2020, 1, 1, tzinfo=UTC), None, "", "a rule was wrong", allow_skip=False)


@pytest.fixture
def world() -> World:
    made = World()
    made.upload(12)
    return made


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    async with open_office(world) as opened:
        await world.until(lambda: world.pending == 0)
        yield opened


async def test_the_table_has_a_line_for_each_trigger(
    world: World, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    await office.supervisor.pause(NAME, "alice", "month end")
    await world.clock.sleep(2)
    assert await show(Admin(office.http), world.clock, "", False, False) is Exit.FINE
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:6] == ["trigger", "state", "lag", "rate/s", "gen", "last"]
    assert line.split()[:2] == ["disputes", "paused"]
    assert "pod-1" in line
    assert line.rstrip().endswith("paused by alice: month end")


async def test_the_rate_is_what_was_carried_while_it_was_looked_at(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = iter([10, 40])
    row = {"name": "disputes", "state": "running"}
    async with admin_of(lambda _: httpx.Response(200, json={"triggers": [{**row, "results": next(counts)}]})) as admin:
        began_s = world.clock.monotonic_s()
        await show(admin, world.clock, "", False, False)
    line = capsys.readouterr().out.splitlines()[1]
    assert float(line.split()[2]) == pytest.approx(30 / (world.clock.monotonic_s() - began_s), abs=0.1)


def test_a_trigger_that_began_anew_has_no_rate() -> None:
    before, after = [{"name": "a", "results": 10}, {"name": "b", "results": 10}], [{"name": "a", "results": 3}]
    assert rates_of(before, [*after, {"name": "b", "results": 14}, {"name": "new", "results": 5}], 2.0) == {"b": 2.0}


async def test_one_trigger_is_shown_in_detail(world: World, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    await show(Admin(office.http), world.clock, NAME, False, False)
    said = capsys.readouterr().out
    for words in ("org1/collateral/dispute", "at_least_once", "seq-12", "12 results", "rpa.urgent", "rpa.unrouted"):
        assert words in said


async def test_json_is_what_the_api_says(world: World, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    await show(Admin(office.http), world.clock, "", False, True)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["results"]) == ("disputes", 12)
    await show(Admin(office.http), world.clock, NAME, False, True)
    assert json.loads(capsys.readouterr().out)["name"] == "disputes"


async def test_a_watch_shows_it_again_and_again(
    world: World, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = asyncio.create_task(show(Admin(office.http), world.clock, "", True, False))
    await world.clock.sleep(10)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_a_list_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_link, "PAGE_SIZE", 2)
    world = World()
    plans = [
        a_plan(name=f"t{number}", ref=REF.__class__(project="p", dataset="d", trigger=f"t{number}"))
        for number in range(5)
    ]
    for plan in plans:
        world.source.make(plan.ref)
    async with open_office(world, plans) as office:
        rows = [row["name"] async for row in Admin(office.http).rows("triggers", "triggers")]
    assert rows == [f"t{number}" for number in range(5)]


async def test_a_replay_is_followed_until_it_is_done(
    world: World, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = Admin(office.http)
    made = await admin.post("triggers", NAME, "resets", body=BEGINNING)
    assert made["reason"] == "a rule was wrong"
    ended = await follow(admin, world.clock, NAME, made)
    assert (ended["phase"], ended["replayed"], ended["generation"]) == ("done", 12, 1)
    told = capsys.readouterr().err
    assert "requested" in told
    assert "done, 12 replayed" in told


async def test_a_pause_and_its_end(world: World, office: Office) -> None:
    admin = Admin(office.http)
    assert await admin.post("triggers", NAME, "pause", body={"reason": "month end"}) == {}
    assert (await admin.get("triggers", NAME))["paused_by"] == "operate"
    assert await admin.post("triggers", NAME, "resume") == {}
    assert (await admin.get("triggers", NAME))["paused_by"] is None


async def test_a_replay_under_way_is_called_off(world: World, office: Office) -> None:
    admin = Admin(office.http)
    world.source.fail_next("reset", times=1000)
    await admin.post("triggers", NAME, "resets", body=BEGINNING)
    made = await cancelled(admin, NAME)
    world.source.fail_next("reset", times=0)
    ended = await follow(admin, world.clock, NAME, made)
    assert (ended["phase"], ended["cancelled_by"]) == ("cancelled", "operate")


async def test_an_owner_that_moves_is_waited_for_and_one_that_is_gone_is_not(world: World) -> None:
    silent, asked = True, 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if silent and asked < 20:
            return httpx.Response(503, json={"type": "urn:bridge:starting", "detail": "the workers are not started"})
        return httpx.Response(200, json={"id": "r", "phase": "done"})

    async with admin_of(answer) as admin:
        assert (await follow(admin, world.clock, NAME, {"id": "r", "phase": "replaying"}))["phase"] == "done"
        asked = -10_000
        began_s = world.clock.monotonic_s()
        with pytest.raises(RefusedError) as refused:
            await follow(admin, world.clock, NAME, {"id": "r", "phase": "replaying"})
    assert refused.value.exit_code is Exit.NEIGHBOUR_MISSING
    assert SILENT_S_MAX <= world.clock.monotonic_s() - began_s < SILENT_S_MAX + 5


class Lossy(httpx.AsyncBaseTransport):
    """Does what is asked and loses the answer, some times."""

    def __init__(self, inner: httpx.AsyncBaseTransport, losses: int) -> None:
        self.inner = inner
        self.losses = losses

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        if self.losses:
            self.losses -= 1
            await answer.aread()
            raise httpx.ReadError("cut", request=request)
        return answer


async def test_an_answer_that_was_lost_is_asked_for_again_and_the_reset_is_one(world: World, office: Office) -> None:
    lossy = Lossy(httpx.ASGITransport(office.app, client=("10.0.0.9", 1)), losses=2)
    headers = {"Authorization": f"Bearer {OPERATE}"}
    async with httpx.AsyncClient(transport=lossy, base_url="http://bridge.example", headers=headers) as http:
        made = await Admin(http).post("triggers", NAME, "resets", body=BEGINNING)
    history = [row["id"] async for row in Admin(office.http).rows("resets", "triggers", NAME, "resets")]
    assert history == [made["id"]]


def admin_of(answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    """An Admin over a server of this test's own."""

    class Opened:
        async def __aenter__(self) -> Admin:
            self.http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://bridge.example")
            return Admin(self.http)

        async def __aexit__(self, *_: object) -> None:
            await self.http.aclose()

    return Opened()


async def test_a_trace_is_a_table_of_records(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "written_at": "2026-01-05T09:00:00Z",
            "trigger": "disputes",
            "route": "urgent",
            "generation": generation,
            "topic": "rpa.urgent",
            "partition": 1,
            "offset": 40 + generation,
            "reason": "",
        }
        for generation in (1, 0)
    ]
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"deliveries": rows if "u.1" in request.url.path else [], "next": None})

    async with admin_of(answer) as admin:
        assert await print_trace(admin, "u.1", None, False) is Exit.FINE
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1:] for line in lines[1:]] == [
            ["disputes", "urgent", "1", "rpa.urgent", "1", "41"],
            ["disputes", "urgent", "0", "rpa.urgent", "1", "40"],
        ]
        await print_trace(admin, "u.2", datetime(2026, 1, 1, tzinfo=UTC), False)
        assert "no record of u.2 is on the topics since 2026-01-01" in capsys.readouterr().out
        await print_trace(admin, "u.1", None, True)
        assert json.loads(capsys.readouterr().out) == rows
    assert asked[1].params["since"] == "2026-01-01T00:00:00+00:00"


async def refused(ask: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await ask
    return caught.value


async def test_what_is_refused_is_said_with_what_to_do(world: World, office: Office) -> None:
    """RFC 9457 problems as sentences, and the exit codes."""
    async with office.asking("wrong") as http:
        error = await refused(Admin(http).get("triggers"))
        assert (error.exit_code, "BRIDGE_ADMIN_TOKEN" in str(error)) == (Exit.USAGE, True)
    async with office.asking(READ) as http:
        error = await refused(Admin(http).post("triggers", NAME, "pause", body={}))
        assert (error.exit_code, "operate token" in str(error)) == (Exit.USAGE, True)
    admin = Admin(office.http)
    error = await refused(admin.get("triggers", "nobody"))
    assert (error.exit_code, "bridge status" in str(error)) == (Exit.USAGE, True)
    world.source.fail_next("reset", times=1000)
    await admin.post("triggers", NAME, "resets", body=BEGINNING)
    error = await refused(admin.post("triggers", NAME, "resets", body=BEGINNING))
    assert (error.exit_code, "under way" in str(error)) == (Exit.FAILED, True)


async def test_a_reset_that_would_skip_says_how_to_mean_it(world: World, office: Office) -> None:
    world.source.go_down()
    error = await refused(Admin(office.http).post("triggers", NAME, "resets", body=BEGINNING))
    assert error.exit_code is Exit.NEIGHBOUR_MISSING
    world.source.come_back()
    await office.supervisor.pause(NAME, "operate", "")
    world.upload(3)
    later = wished(datetime(2026, 1, 1, tzinfo=UTC), None, "", "", allow_skip=False)
    error = await refused(Admin(office.http).post("triggers", NAME, "resets", body=later))
    assert (error.exit_code, "--allow-skip" in str(error)) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("status", "body", "exit_code"),
    [
        (200, b"<html>", Exit.USAGE),
        (404, b"<html>", Exit.USAGE),
        (302, b"", Exit.USAGE),
        (200, b"[]", Exit.USAGE),
        (404, b'{"detail":"Not Found"}', Exit.USAGE),
        (503, b'{"type":"urn:bridge:starting","detail":"not yet"}', Exit.NEIGHBOUR_MISSING),
        (500, b'{"type":"urn:bridge:internal","title":"Internal Server Error"}', Exit.FAILED),
    ],
)
async def test_an_answer_of_something_else_is_told_apart(status: int, body: bytes, exit_code: Exit) -> None:
    async with admin_of(lambda _: httpx.Response(status, content=body)) as admin:
        error = await refused(admin.get("triggers"))
    assert error.exit_code is exit_code
    assert ("--url" in str(error)) is (b"urn:bridge" not in body)


async def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """D20."""
    monkeypatch.setattr(admin_link, "BODY_BYTES_MAX", 1000)
    async with admin_of(lambda _: httpx.Response(200, content=b"{" * 2000)) as admin:
        assert (await refused(admin.get("triggers"))).exit_code is Exit.NEIGHBOUR_MISSING


def run(*arguments: str, token: str = "", **environment: str) -> tuple[int, str]:
    """A command in this process; exit code and what it said."""
    done = CliRunner().invoke(
        app_for(list(arguments)), list(arguments), env={"BRIDGE_ADMIN_TOKEN": token, **environment}
    )
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--url", "ftp://x"], "--url"),
        (["status", "--url", "http://user:secret@127.0.0.1:1"], "an address such as"),
        (["status", "--url", "http://127.0.0.1:port"], "--url"),
        (["status", "--url", "http://bridge.example:8080"], "--allow-insecure"),
        (["status", "--watch", "--json"], "--json"),
        (["status", "--token-file", "/nowhere/token"], "--token-file"),
        (["reset", "disputes"], "--to"),
        (["reset", "disputes", "--to", "1h", "--cancel"], "--cancel"),
        (["reset", "disputes", "--to", "yesterday"], "yesterday"),
    ],
)
def test_bad_usage_ends_with_two_and_a_sentence(arguments: list[str], said: str) -> None:
    code, output = run(*arguments, token="t")
    assert code == 2
    assert said in output
    assert "secret" not in output


def test_nobody_there_ends_with_three() -> None:
    for arguments in (
        ["status"],
        ["pause", "disputes"],
        ["resume", "disputes"],
        ["trace", "u"],
        ["reset", "d", "--cancel"],
    ):
        code, output = run(*arguments, "--url", "http://127.0.0.1:1")
        assert (code, "does not answer" in output) == (3, True)


def test_a_token_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t\n")
    code, _ = run("status", "--url", "http://127.0.0.1:1", "--token-file", str(file))
    assert code == 3
    file.write_text("tök\n")
    assert run("status", "--url", "http://127.0.0.1:1", "--token-file", str(file))[0] == 2


def test_spans_are_said_as_people_say_them() -> None:
    assert [span(seconds) for seconds in (0, 119, 120, 7199, 7200, 172_800, None)] == [
        "0 s", "119 s", "2 m", "120 m", "2 h", "2 d", "",
    ]  # fmt: skip
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert ago("2026-01-01T11:00:00Z", now) == "60 m ago"
    assert ago(None, now) == ""
