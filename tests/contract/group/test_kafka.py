"""Bulletin, control topic and membership on the run's broker: what is written is seen, and what is shared is shared."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.bulletin import KafkaBulletin, status_topic
from bridge.adapters.kafka.control_topic import KafkaControl, control_topic
from bridge.adapters.kafka.group_promises import group_findings
from bridge.adapters.kafka.membership import KafkaMembership
from bridge.adapters.kafka.settings import GroupSettings, KafkaSettings, TopicCreation
from bridge.adapters.kafka.state_topic import KafkaStateStore, state_topic
from bridge.domain.census import Census
from bridge.domain.commands import Command, Verb
from bridge.domain.counts import counts_of
from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import TriggerName
from bridge.domain.standing import Place, Standing
from bridge.domain.status import Report, State, Status
from tests.contract.state_store.test_kafka import configs_of
from tests.contract.state_store.words import DISPUTES, PAUSED
from tests.fakes.plans import a_plan
from tests.fakes.results import a_batch, raw_result
from tests.neighbours.choice import Broker
from tests.neighbours.topics import Topics

WITHIN_S = 20.0
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NAMES = [TriggerName(f"trigger-{number}") for number in range(40)]


@pytest.fixture
def deployment() -> str:
    """A name nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def settings(kafka: Broker) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        publish_timeout_s=8.0,
        request_timeout_s=2.0,
        topics=TopicCreation(replication_factor=1),
        group=GroupSettings(partitions=8, session_timeout_s=6.0),
    )


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.02)


# The bulletin


async def bulletin_of(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str, writer: str
) -> tuple[KafkaStateStore, KafkaBulletin]:
    store = await stack.enter_async_context(KafkaStateStore(settings, deployment, writer=writer))
    bulletin = KafkaBulletin(settings, deployment, store, SystemClock(), writer=writer)
    return store, await stack.enter_async_context(bulletin)


async def test_what_one_replica_wrote_is_seen_by_another_that_has_caught_up(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str
) -> None:
    store, mine = await bulletin_of(stack, settings, deployment, "me")
    _, theirs = await bulletin_of(stack, settings, deployment, "them")
    for number in range(5):
        standing = replace(PAUSED, obeyed=Place(offset=number, at_ms=number))
        await store.save(DISPUTES, standing)
        await theirs.catch_up()
        assert theirs.standing(DISPUTES) == standing
    await mine.catch_up()
    assert (set(mine.overwritten()), set(theirs.overwritten())) == (set(), {DISPUTES})
    assert theirs.standing(TriggerName("another")) == Standing()


async def test_a_store_writes_what_another_replica_has_changed_since(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str
) -> None:
    """Otherwise a trigger that comes back would keep what its last owner wrote: it writes only what changed."""
    store, mine = await bulletin_of(stack, settings, deployment, "me")
    other, _ = await bulletin_of(stack, settings, deployment, "them")
    await store.save(DISPUTES, Standing())
    await other.save(DISPUTES, PAUSED)
    await mine.catch_up()
    await store.save(DISPUTES, Standing())
    await mine.catch_up()
    assert mine.standing(DISPUTES).pause is None


@pytest.mark.kafka_apache
async def test_a_state_topic_that_was_deleted_is_made_again_with_what_the_replicas_know(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str, topics: Topics
) -> None:
    """D18: nobody needs to save anything for that, and what is written on the new one is no old news."""
    store, mine = await bulletin_of(stack, settings, deployment, "me")
    other, theirs = await bulletin_of(stack, settings, deployment, "them")
    for standing in (Standing(), PAUSED, Standing(), PAUSED):
        await store.save(DISPUTES, standing)
    await theirs.catch_up()
    await topics.delete(state_topic(deployment))
    async with asyncio.timeout(WITHIN_S):
        while (await KafkaStateStore(settings, deployment).load()).get(DISPUTES) != PAUSED:
            await asyncio.sleep(0.1)
    await until_saved(other, DISPUTES, Standing())
    await until(lambda: mine.standing(DISPUTES) == Standing())
    await until_saved(store, DISPUTES, PAUSED)
    await until(lambda: theirs.standing(DISPUTES) == PAUSED)


async def until_saved(store: KafkaStateStore, name: TriggerName, standing: Standing) -> None:
    """As the service does, again after each Retry."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return await store.save(name, standing)
            except Retry:
                await asyncio.sleep(0.1)


def a_census() -> Census:
    census = Census(a_plan().rules, NOON)
    census.count(a_batch([raw_result(1, {"Urgent": 0.9})]))
    return census


async def test_reports_and_counts_reach_the_other_replicas(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str
) -> None:
    _, mine = await bulletin_of(stack, settings, deployment, "me")
    _, theirs = await bulletin_of(stack, settings, deployment, "them")
    await theirs.catch_up()
    status = Status(name=DISPUTES, state=State.IDLE, results=3, published={"urgent": 3})
    await mine.catch_up()
    counts = counts_of(DISPUTES, a_census(), "pod-1", NOON)
    await mine.post([Report(status=status, owner="pod-1", at=NOON)], [counts])
    await until(lambda: theirs.report(DISPUTES) is not None and theirs.counts(DISPUTES) is not None)
    assert theirs.report(DISPUTES) == Report(status=status, owner="pod-1", at=NOON)
    told = theirs.counts(DISPUTES)
    assert told is not None
    (tally,) = told.tallies
    assert (told.name, told.owner, told.counted, tally.taken, sum(tally.shown)) == (DISPUTES, "pod-1", 1, 1, 1)
    assert theirs.counts(TriggerName("another")) is None
    configs = await configs_of(settings.bootstrap_servers, status_topic(deployment))
    assert configs["cleanup.policy"] == "compact,delete"


# The control topic


def a_command(name: TriggerName, id_: str = "c1", verb: Verb = Verb.PAUSE) -> Command:
    return Command(id=id_, trigger=name, verb=verb, by="bob", at=NOON, reason="release")


async def test_commands_are_kept_in_their_order(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str
) -> None:
    control = await stack.enter_async_context(KafkaControl(settings, deployment))
    sent = [a_command(DISPUTES, f"c{number}") for number in range(5)]
    offsets = [await control.append(command) for command in sent]
    found = await control.history(DISPUTES, 3)
    assert [command for _, command in found] == sent[-3:]
    assert [place.offset for place, _ in found] == offsets[-3:]
    configs = await configs_of(settings.bootstrap_servers, control_topic(deployment))
    assert (configs["cleanup.policy"], configs["message.timestamp.type"]) == ("delete", "LogAppendTime")
    codes = {finding.code for finding in await group_findings(settings, deployment)}
    assert codes == {"single_replica"}


@pytest.mark.parametrize(
    ("partitions", "config", "code", "words"),
    [
        (4, {}, "control_topic_partitions", "has 4 partitions, and the configuration says group.partitions: 8"),
        (8, {"cleanup.policy": "compact"}, "control_topic_not_kept_by_time", "only a trigger's last command"),
    ],
)
async def test_a_control_topic_that_cannot_serve_is_refused_with_a_sentence(
    stack: AsyncExitStack,
    settings: KafkaSettings,
    deployment: str,
    topics: Topics,
    partitions: int,
    config: dict[str, str],
    code: str,
    words: str,
) -> None:
    """D16; two replicas that count the shares differently would both own a trigger (I6)."""
    await topics.create_named(control_topic(deployment), partitions, config)
    control = await stack.enter_async_context(KafkaControl(settings, deployment))
    with pytest.raises(Blocked, match=words) as refused:
        await control.append(a_command(DISPUTES))
    assert refused.value.code == code
    assert code in {finding.code for finding in await group_findings(settings, deployment)}


# The membership


@dataclass(slots=True)
class Sitter:
    """A seat that notes what it is told; `slow_s` is how long it takes to stop its work, `turns` count rebalances."""

    group: KafkaMembership
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    owned: frozenset[TriggerName] = frozenset()
    commands: list[tuple[Command, Place]] = field(default_factory=list)
    slow_s: float = 0.0
    turns: int = 0

    async def revoked(self) -> None:
        self.turns += 1
        await asyncio.sleep(self.slow_s)
        self.owned = frozenset()

    def assigned(self, is_mine: Callable[[TriggerName], bool]) -> None:
        self.owned = frozenset(filter(is_mine, NAMES))

    async def commanded(self, command: Command, place: Place) -> bool:
        self.commands.append((command, place))
        return True


class Seat(Protocol):
    """Takes a new seat; `instance_id` makes it a static one."""

    def __call__(self, instance_id: str | None = None) -> Sitter: ...


@pytest.fixture
async def seat(stack: AsyncExitStack, settings: KafkaSettings, deployment: str) -> AsyncIterator[Seat]:
    """Makes members of one group; all leave at the end."""
    sitters: list[tuple[Sitter, asyncio.Task[None]]] = []
    control = await stack.enter_async_context(KafkaControl(settings, deployment))

    def make(instance_id: str | None = None) -> Sitter:
        own = replace(settings, group=replace(settings.group, instance_id=instance_id))
        sitter = Sitter(KafkaMembership(own, deployment, control, SystemClock()))
        sitters.append((sitter, asyncio.create_task(sitter.group.sit(sitter, sitter.stop))))
        return sitter

    yield make
    for sitter, _ in sitters:
        sitter.stop.set()
    await asyncio.gather(*(task for _, task in sitters))


@pytest.mark.kafka_apache
async def test_every_trigger_has_one_owner_whoever_comes_and_goes(seat: Seat) -> None:
    """I6: nobody gets anything before everybody has let go, however long one of them takes."""
    first = seat()
    await until(lambda: len(first.owned) == len(NAMES))
    assert first.group.sure_s() > 4.0
    first.slow_s = 2.0
    second = seat()
    while not second.owned:
        assert not first.owned & second.owned
        await asyncio.sleep(0.01)
    await until(lambda: len(first.owned) + len(second.owned) == len(NAMES))
    assert first.owned
    assert not first.owned & second.owned
    assert first.group.sure_s() > 4.0, "heartbeats go on while the work is stopped"
    second.stop.set()
    await until(lambda: len(first.owned) == len(NAMES))
    await until(lambda: second.group.sure_s() < 0)


@pytest.mark.kafka_apache
async def test_commands_come_to_the_owner_and_again_to_nobody(
    stack: AsyncExitStack, settings: KafkaSettings, deployment: str, seat: Seat
) -> None:
    control = await stack.enter_async_context(KafkaControl(settings, deployment))
    first = seat()
    await until(lambda: bool(first.owned))
    offsets = [await control.append(a_command(NAMES[0], f"c{number}")) for number in range(3)]
    await until(lambda: len(first.commands) == 3)
    assert [(command.id, place.offset) for command, place in first.commands] == [
        (f"c{number}", offset) for number, offset in enumerate(offsets)
    ]
    first.stop.set()
    second = seat()
    await until(lambda: len(second.owned) == len(NAMES))
    await control.append(a_command(NAMES[0], "c9"))
    await until(lambda: bool(second.commands))
    assert [command.id for command, _ in second.commands] == ["c9"]


@pytest.mark.kafka_apache
@pytest.mark.parametrize("leads", [True, False], ids=["the leader", "another one"])
async def test_a_static_member_that_restarts_within_its_session_has_its_triggers_back_and_moves_nobody(
    seat: Seat, settings: KafkaSettings, leads: bool
) -> None:
    """And one that does not come back is replaced, once its session is over."""
    first = seat("pod-0")
    await until(lambda: len(first.owned) == len(NAMES))
    second = seat("pod-1")
    await until(lambda: bool(second.owned) and len(first.owned) + len(second.owned) == len(NAMES))
    going, staying = (first, second) if leads else (second, first)
    turns, mine, theirs = staying.turns, going.owned, staying.owned
    going.stop.set()
    await until(lambda: not going.owned)
    back = seat("pod-0" if leads else "pod-1")
    await until(lambda: back.owned == mine)
    # Several heartbeats on, when the others would have heard of a rebalance.
    await asyncio.sleep(3 * settings.group.heartbeat_s)
    assert (staying.turns, staying.owned, back.owned) == (turns, theirs, mine)
    assert min(staying.group.sure_s(), back.group.sure_s()) > 3.0
    if leads:
        back.stop.set()
        await until(lambda: len(staying.owned) == len(NAMES))
