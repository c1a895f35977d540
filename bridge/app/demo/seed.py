"""`python -m bridge.app.demo.seed`: sets a local platform server up as the demo does, for a trial with its own parts.

REINFER_URL and REINFER_TOKEN say where. What is there already stays.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import PlatformSettings
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.material import Material, make_material
from bridge.app.demo.options import Options
from bridge.app.demo.sample.mail import COMMENTS, SEED
from bridge.app.demo.stage import DATASET, PROJECT, Stage
from bridge.domain.errors import BridgeError
from bridge.domain.model import TriggerRef
from bridge.ports import Clock

WAIT_S = 120.0
POLL_S = 0.5


async def seed(url: str, token: str, material: Material, clock: Clock) -> str:
    """What was done, in a sentence. Raises DemoFailed."""
    ref = TriggerRef(project=PROJECT, dataset=DATASET, trigger=material.scenario.trigger)
    if await _has(url, token, ref, clock):
        return f"{ref.identity} is there already"
    async with Stage(url, token) as stage:
        await stage.create(material.scenario)
        for start in range(0, len(material.uploads), material.upload_batch):
            await stage.upload(material.uploads[start : start + material.upload_batch])
        await stage.annotate(material.uploads)
        model = await stage.train_and_pin()
        # last, so that where it is there, all is there
        await stage.create_trigger(material.scenario.trigger, model)
    return f"{ref.identity} with {len(material.uploads)} comments and a model of {model.labels} labels"


async def _has(url: str, token: str, ref: TriggerRef, clock: Clock) -> bool:
    """Waits for the platform to answer."""
    settings = PlatformSettings(base_url=url, token=token, allow_insecure=True)
    until_s = clock.monotonic_s() + WAIT_S
    async with PlatformClient(settings, clock) as client:
        while True:
            try:
                await client.get(ref)
            except BridgeError as error:
                if error.code == "trigger_missing":
                    return False
                if clock.monotonic_s() > until_s:
                    raise DemoFailed(f"the platform does not answer: {error}") from error
                await clock.sleep(POLL_S)
            else:
                return True


async def _run(environment: Mapping[str, str], comments: int, *, stay: bool) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    options = Options(
        once=True, data=None, kafka=None, redis_url=None, timeout_s=WAIT_S, keep=False, comments=comments, seed=SEED
    )
    material = make_material(options)
    sys.stdout.write(
        await seed(environment["REINFER_URL"], environment["REINFER_TOKEN"], material, SystemClock()) + "\n"
    )
    sys.stdout.flush()
    if stay:
        await stopped.wait()


def main(argv: list[str] | None = None) -> int:
    """0 when the trigger is there, 2 without an address, 1 for anything else."""
    parser = argparse.ArgumentParser(prog="python -m bridge.app.demo.seed", description=__doc__)
    parser.add_argument("--comments", type=int, default=COMMENTS)
    parser.add_argument("--stay", action="store_true", help="do not end before SIGTERM, beside a server in one pod")
    args = parser.parse_args(argv)
    try:
        asyncio.run(_run(os.environ, args.comments, stay=args.stay))
    except KeyError as error:
        sys.stderr.write(f"{error} is needed in the environment\n")
        return 2
    except DemoFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
