"""The main road of the demo, from nothing to a verdict."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from bridge.app.demo.children import Family
from bridge.app.demo.delivery import Delivered, Follower
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.material import Material, make_material
from bridge.app.demo.options import Options, Patience
from bridge.app.demo.oracle import places
from bridge.app.demo.running import Running, start_all
from bridge.app.demo.screen import Screen
from bridge.app.demo.story import Album, what_next
from bridge.app.demo.summary import Summary
from bridge.app.demo.verdict import Tally
from bridge.ports import Clock


async def run_demo(options: Options, screen: Screen, clock: Clock, patience: Patience) -> Summary:
    """Everything it starts has ended when this returns or raises. Raises DemoFailed."""
    began = clock.monotonic_s()
    material = make_material(options)
    screen.say(material.about)
    with _workspace(keep=options.keep) as directory:
        if options.keep:
            screen.say(f"all files stay in {directory}")
        async with AsyncExitStack() as opened:
            family = Family(directory)
            patience.watch(family)
            opened.push_async_callback(_stop, family, screen)
            running = await _started(options, material, family, screen, clock, opened)
            tally, album = Tally(frozenset(places(running.promised, running.scenario))), Album()
            follower = Follower(running, tally, album, clock)
            with screen.live(running.scenario, "delivering") as table:
                delivered = await follower.deliver(table, began + options.timeout_s, options.timeout_s)
            elapsed_s = clock.monotonic_s() - began
            summary = _summary(material, running, tally, delivered, elapsed_s, str(directory) if options.keep else "")
            screen.explain(album.examples(running.scenario))
            screen.say(summary.in_words())
            if not options.once and not summary.trouble:
                screen.offer([*what_next(running, str(directory))])
                with screen.live(running.scenario, "running until Ctrl-C") as table:
                    await follower.stay(table, patience)
        return summary


@contextmanager
def _workspace(*, keep: bool) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


async def _stop(family: Family, screen: Screen) -> None:
    with screen.step("Stopping everything"):
        await family.stop()


async def _started(
    options: Options, material: Material, family: Family, screen: Screen, clock: Clock, opened: AsyncExitStack
) -> Running:
    try:
        async with asyncio.timeout(options.timeout_s):
            return await start_all(options, material, family, screen, clock, opened)
    except TimeoutError as error:
        raise DemoFailed(f"not finished within {options.timeout_s:g} s, while: {screen.doing}") from error


def _summary(
    material: Material, running: Running, tally: Tally, delivered: Delivered, elapsed_s: float, directory: str
) -> Summary:
    scenario = running.scenario
    return Summary(
        verdict=tally.verdict(topic for topic in scenario.topics if topic != scenario.dead_topic),
        comments=len(material.uploads),
        annotated=running.model.examples,
        labels=running.model.labels,
        skipped_duplicates=delivered.standing.skipped_duplicates,
        shadowed=delivered.standing.shadowed,
        broker=running.broker,
        elapsed_s=elapsed_s,
        delivery_s=delivered.seconds,
        directory=directory,
        unfinished=delivered.unfinished,
    )
