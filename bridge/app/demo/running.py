"""Brings everything up: neighbours, platform, model, topics, the bridge itself."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.app.demo.admin import Admin
from bridge.app.demo.children import Child, Family, until
from bridge.app.demo.configuration import TOKEN_VARIABLE, Addresses, write_configuration
from bridge.app.demo.failures import NeighbourMissing
from bridge.app.demo.material import Material
from bridge.app.demo.neighbours import Neighbours, make_topics, start_neighbours
from bridge.app.demo.options import Options
from bridge.app.demo.oracle import Promised
from bridge.app.demo.readback import Readback
from bridge.app.demo.scenario import Scenario
from bridge.app.demo.screen import Screen
from bridge.app.demo.stage import DATASET, PROJECT, Model, Stage
from bridge.ports import Clock

START_TIMEOUT_S = 60.0
BRIDGE_STOP_S = 35.0
"""Longer than the bridge's own `stop_timeout`, so that a drain is never cut short."""
TOKEN_DEFAULT = "sandbox"  # noqa: S105  the sandbox's own default, known to everybody
TOKEN_OF_SANDBOX, ADMIN_TOKEN_OF_SANDBOX = "SANDBOX_TOKEN", "SANDBOX_ADMIN_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """All of it, running. `promised` is what the platform will deliver, known before the bridge asks."""

    family: Family
    scenario: Scenario
    promised: Sequence[Promised]
    model: Model
    addresses: Addresses
    broker: str
    admin: Admin
    reader: Readback
    token: str


async def start_all(
    options: Options, material: Material, family: Family, screen: Screen, clock: Clock, opened: AsyncExitStack
) -> Running:
    """In this order, so that the bridge finds a finished world. Its processes belong to `family`."""
    scenario, env = material.scenario, dict(os.environ)
    token = env.get(TOKEN_OF_SANDBOX, TOKEN_DEFAULT)
    with screen.step("Starting Kafka and Redis"):
        neighbours = await start_neighbours(options.kafka, options.redis_url, family, clock)
    screen.say(f"  {neighbours.broker} at {neighbours.kafka}")
    with screen.step("Starting the platform's local server"):
        platform_url = await _start_sandbox(family, clock, env, token)
    stage = await opened.enter_async_context(Stage(platform_url, token))
    model = await _set_the_stage(stage, material, screen)
    with screen.step("Asking the platform what it will deliver"):
        promised = await stage.promised(scenario, model, material.uploads)
    with screen.step(f"Making {len(scenario.topics)} topics"):
        made = await make_topics(neighbours.kafka, scenario.topics, scenario.partitions, clock)
        reader = await opened.enter_async_context(Readback(neighbours.kafka, made))
    addresses = _addresses(platform_url, neighbours)
    with screen.step("Starting the bridge"):
        admin_url = await _start_bridge(family, scenario, addresses, clock, {**env, TOKEN_VARIABLE: token})
    screen.say(f"  its page is at {admin_url}/")
    return Running(
        family=family,
        scenario=scenario,
        promised=promised,
        model=model,
        addresses=addresses,
        broker=neighbours.broker,
        admin=await opened.enter_async_context(Admin(admin_url)),
        reader=reader,
        token=token,
    )


async def _set_the_stage(stage: Stage, material: Material, screen: Screen) -> Model:
    uploads = material.uploads
    with screen.step(f"Uploading {len(uploads)} comments"):
        await stage.create(material.scenario)
        for start in range(0, len(uploads), material.upload_batch):
            await stage.upload(uploads[start : start + material.upload_batch])
        annotated = await stage.annotate(uploads)
    with screen.step(f"Training a model on {annotated} annotated comments"):
        model = await stage.train_and_pin()
    with screen.step(f"Creating a trigger with model {model.version}, which knows {model.labels} labels"):
        await stage.create_trigger(material.scenario.trigger, model)
    return model


def _addresses(platform_url: str, neighbours: Neighbours) -> Addresses:
    """On given neighbours every run has a name of its own: what an earlier one left there is not taken up."""
    return Addresses(
        deployment=f"demo-{secrets.token_hex(3)}" if neighbours.is_given else "demo",
        platform=platform_url,
        kafka=neighbours.kafka,
        redis_url=neighbours.redis_url,
        project=PROJECT,
        dataset=DATASET,
    )


async def _start_sandbox(family: Family, clock: Clock, env: Mapping[str, str], token: str) -> str:
    if not (importlib.util.find_spec("sklearn") and importlib.util.find_spec("starlette")):
        raise NeighbourMissing("the platform's local server is not installed: `pip install 'bridge[demo]'`")
    kept = {name: value for name, value in env.items() if name != ADMIN_TOKEN_OF_SANDBOX}
    command = [sys.executable, "-m", "bridge.sandbox", "--port", "0", "--db", "platform.sqlite"]
    child = await family.start("platform", command, {**kept, TOKEN_OF_SANDBOX: token})
    said = await until(lambda: _line_with(child, "url"), child, clock, START_TIMEOUT_S, "the platform's address")
    return str(said["url"])


async def _start_bridge(
    family: Family, scenario: Scenario, addresses: Addresses, clock: Clock, env: Mapping[str, str]
) -> str:
    path = family.directory / "demo.yaml"
    write_configuration(path, scenario, addresses)
    command = [sys.executable, "-m", "bridge", "run", "-c", str(path)]
    child = await family.start("bridge", command, {**env, "PYTHONUNBUFFERED": "1"}, BRIDGE_STOP_S)
    said = await until(lambda: _line_with(child, "admin_port"), child, clock, START_TIMEOUT_S, "the bridge's start")
    return f"http://127.0.0.1:{said['admin_port']}"


def _line_with(child: Child, key: str) -> Mapping[str, object] | None:
    """The first JSON object of a child's output that has this key; a line still being written is not yet one."""
    for line in child.output().splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n") and f'"{key}"' in line:
            said: Mapping[str, object] = json.loads(line)
            return said
    return None
