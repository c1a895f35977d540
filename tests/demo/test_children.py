"""The demo's processes end when it does, and tell what they said when they end by themselves."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bridge.adapters.clock import SystemClock
from bridge.app.demo.children import Child, ChildDied, Family, until
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.options import Patience

STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
inner = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(inner.pid, flush=True)
signal.pause()
"""


OBEDIENT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
signal.pause()
"""


@pytest.fixture
async def family(tmp_path: Path) -> AsyncIterator[Family]:
    started = Family(tmp_path)
    yield started
    started.kill()
    await started.stop()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def said_something(child: Child) -> str | None:
    return child.output() or None


def runs(pid: int) -> bool:
    """A zombie, which nobody but its parent can remove, does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_that_ends_by_itself_is_noticed_with_its_last_lines(family: Family) -> None:
    child = await family.start("brief", python("print('first'); print('last words'); raise SystemExit(7)"), os.environ)
    await child.process.wait()
    with pytest.raises(ChildDied, match=r"brief ended with code 7(.|\n)*last words"):
        family.check()


async def test_waiting_for_one_that_dies_ends_at_once(family: Family) -> None:
    child = await family.start("brief", python("print('no port')"), os.environ)
    with pytest.raises(ChildDied, match="no port"):
        await until(lambda: None, child, SystemClock(), 30.0, "an address")


async def test_a_failure_is_blamed_on_the_one_that_died_even_if_its_end_comes_late(family: Family) -> None:
    await family.start("brief", python("raise SystemExit(3)"), os.environ)
    failure = DemoFailed("no answer")
    with pytest.raises(ChildDied, match="brief ended with code 3") as caught:
        await family.check_after(failure)
    assert caught.value.__cause__ is failure


async def test_a_failure_is_nobody_s_fault_while_all_run(family: Family) -> None:
    await family.start("mute", python("import signal; signal.pause()"), os.environ)
    await family.check_after(DemoFailed("no answer"))


async def test_waiting_is_bounded(family: Family) -> None:
    child = await family.start("mute", python("import signal; signal.pause()"), os.environ)
    with pytest.raises(DemoFailed, match=r"an address did not come within 0\.1 s"):
        await until(lambda: None, child, SystemClock(), 0.1, "an address")


async def test_one_that_ignores_the_request_is_ended_with_its_whole_group(family: Family) -> None:
    child = await family.start("stubborn", python(STUBBORN), os.environ, stop_s=0.2)
    inner = await until(lambda: int(child.output() or 0) or None, child, SystemClock(), 30.0, "its pid")
    await family.stop()
    assert child.process.returncode == -9
    await until_gone(inner)


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while runs(pid):
            await asyncio.sleep(0)


async def test_all_are_ended_the_last_started_first(family: Family) -> None:
    children = [await family.start(name, python(OBEDIENT), os.environ) for name in ("one", "two")]
    for child in children:
        await until(partial(said_something, child), child, SystemClock(), 30.0, "its start")
    await family.stop()
    assert [child.process.returncode for child in children] == [0, 0]
    family.check()


async def test_the_first_signal_gives_up_and_the_second_kills(family: Family) -> None:
    child = await family.start("mute", python("import signal; signal.pause()"), os.environ)

    async def demo() -> None:
        patience.append(Patience())
        patience[0].watch(family)
        await asyncio.Event().wait()

    patience: list[Patience] = []
    task = asyncio.create_task(demo())
    await asyncio.sleep(0)
    patience[0].lose()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience[0].lose()
    assert await child.process.wait() == -9


async def test_a_signal_in_the_stay_ends_it_without_a_cancel() -> None:
    patience = Patience()
    patience.staying = True
    patience.lose()
    await asyncio.sleep(0)
    assert patience.over.is_set()
