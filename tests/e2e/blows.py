"""What can befall a deployment in a bad hour: each blow is struck, lasts a while and is over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import redis

from tests.e2e.field import LATE_S, Field, identity
from tests.history.events import Killed, LostMark, Outage, Part, Zombie
from tests.neighbours.proxy import CLEAR, Proxy, Weather

FAULTS = int(os.environ.get("BRIDGE_FAULTS", "12"))
IS_LONG = FAULTS >= 100
FROZEN_S_MAX = 7.0
"""Some twice a session."""
LINKS = {"platform": Part.PLATFORM, "kafka": Part.KAFKA, "redis": Part.REDIS}


@dataclass(frozen=True, slots=True)
class Blow:
    """`weight`: how often it comes, against the others."""

    name: str
    weight: int
    strike: Callable[[Field, Random], None]


def now_ms() -> float:
    return time.time() * 1000


@contextmanager
def out(field: Field, part: Part) -> Iterator[None]:
    """A part does not serve meanwhile, and is felt for a while behind that."""
    from_ms = now_ms()
    yield
    until_ms = now_ms() + LATE_S * 1000
    if part is Part.PLATFORM:
        field.late.append((from_ms, until_ms))
    else:
        field.seen.append(Outage(at_ms=from_ms, until_ms=until_ms, who=part))


# The service


def kill_bridge(field: Field, dice: Random) -> None:
    """With others at work it may stay dead for longer than its session lasts."""
    replica = dice.choice(field.replicas)
    replica.kill()
    field.seen.append(Killed(at_ms=now_ms(), who=Part.BRIDGE))
    if field.is_shared:
        time.sleep(dice.choice([0.0, dice.uniform(0.0, FROZEN_S_MAX)]))
    replica.start()


def freeze_bridge(field: Field, dice: Random) -> None:
    """With others at work it may wake up behind a take-over."""
    freeze_one(field, dice, dice.uniform(0.1, FROZEN_S_MAX if field.is_shared else 2.5))


def freeze_one(field: Field, dice: Random, seconds: float) -> None:
    """Its requests time out while it sleeps; what it published last may lack its marks, and another may go on."""
    life = dice.choice(field.replicas).life
    assert life is not None
    with out(field, Part.PLATFORM):
        frozen_ms = now_ms()
        life.signal(signal.SIGSTOP)
        time.sleep(seconds)
        woken_ms = now_ms()
        life.signal(signal.SIGCONT)
    if field.is_shared:
        field.seen += [
            Outage(at_ms=frozen_ms, until_ms=woken_ms, who=Part.BRIDGE),
            Zombie(at_ms=woken_ms, until_ms=woken_ms + LATE_S * 1000, trigger=identity("least")),
        ]


def restart_bridge(field: Field, dice: Random) -> None:
    """SIGTERM; where it does not end in time it is a kill."""
    replica = dice.choice(field.replicas)
    if not replica.ended_gently():
        replica.kill()
        field.seen.append(Killed(at_ms=now_ms(), who=Part.BRIDGE))
    replica.start()


# The broker and the ledger


def freeze_kafka(field: Field, dice: Random) -> None:
    with out(field, Part.KAFKA):
        field.kafka.pause()
        time.sleep(dice.uniform(0.3, 4.0))
        field.kafka.resume()


def kill_kafka(field: Field, _: Random) -> None:
    with out(field, Part.KAFKA):
        field.kafka.kill_with_its_markers_written()
        field.seen.append(Killed(at_ms=now_ms(), who=Part.KAFKA))
        field.kafka.begin()


def restart_kafka(field: Field, _: Random) -> None:
    with out(field, Part.KAFKA):
        field.kafka.restart()


def freeze_redis(field: Field, dice: Random) -> None:
    with out(field, Part.REDIS):
        field.redis.pause()
        time.sleep(dice.uniform(0.1, 1.5))
        field.redis.resume()


def kill_redis(field: Field, dice: Random) -> None:
    with out(field, Part.REDIS):
        field.redis.kill()
        field.seen.append(Killed(at_ms=now_ms(), who=Part.REDIS))
        time.sleep(dice.uniform(0.0, 0.5))
        field.redis.begin()


def flush_redis(field: Field, _: Random) -> None:
    with redis.Redis.from_url(field.redis.url) as client:
        client.flushall()
    field.seen.append(LostMark(at_ms=now_ms(), trigger=identity("least")))


# The links


def link_of(field: Field, name: str) -> Proxy:
    return {"platform": field.to_platform, "kafka": field.to_kafka, "redis": field.to_redis}[name]


def weathered(
    name: str, weather: Callable[[Random], Weather], low_s: float, high_s: float
) -> Callable[[Field, Random], None]:
    """A link that is bad for a while."""

    def strike(field: Field, dice: Random) -> None:
        link, bad = link_of(field, name), weather(dice)
        with out(field, LINKS[name]):
            link.become(bad)
            time.sleep(dice.uniform(low_s, high_s))
            if bad.is_mute:
                link.cut()  # an answer with a hole in it is no answer
            link.become(CLEAR)

    return strike


def cut(name: str) -> Callable[[Field, Random], None]:
    def strike(field: Field, _: Random) -> None:
        with out(field, LINKS[name]):
            link_of(field, name).cut()

    return strike


def half_close(name: str) -> Callable[[Field, Random], None]:
    def strike(field: Field, dice: Random) -> None:
        with out(field, LINKS[name]):
            link_of(field, name).half_close(towards_client=dice.random() < 0.5)

    return strike


# Two at once


def kill_behind_a_stall(name: str) -> Callable[[Field, Random], None]:
    """SIGKILL with bytes on the way, which arrive when the next process is at work."""

    def strike(field: Field, dice: Random) -> None:
        link = link_of(field, name)
        replica = dice.choice(field.replicas)
        with out(field, LINKS[name]):
            link.become(Weather(is_stalled=True))
            time.sleep(dice.uniform(0.05, 0.5))
            replica.kill()
            field.seen.append(Killed(at_ms=now_ms(), who=Part.BRIDGE))
            link.become(CLEAR)
            healed_ms = now_ms()
            replica.start()
        field.seen.append(Zombie(at_ms=healed_ms, until_ms=healed_ms + LATE_S * 1000, trigger=identity("least")))

    return strike


def links() -> Iterator[Blow]:
    for name in LINKS:
        yield Blow(f"cut {name}", 3, cut(name))
        yield Blow(f"half-close {name}", 3, half_close(name))
        slow = weathered(name, lambda dice: Weather(delay_s=dice.uniform(0.02, 0.4)), 0.3, 1.5)
        yield Blow(f"delay {name}", 2, slow)
        narrow = weathered(name, lambda dice: Weather(bytes_per_s=dice.uniform(2_000, 50_000)), 0.3, 1.5)
        yield Blow(f"throttle {name}", 2, narrow)
        yield Blow(f"stall {name}", 3, weathered(name, lambda _: Weather(is_stalled=True), 0.2, 3.5))
        yield Blow(f"lose answers of {name}", 3, weathered(name, lambda _: Weather(is_mute=True), 0.1, 1.0))
        yield Blow(f"shut {name}", 1, weathered(name, lambda _: Weather(is_shut=True), 0.2, 1.0))
        yield Blow(f"kill bridge behind a stalled {name}", 2, kill_behind_a_stall(name))


BLOWS = (
    Blow("kill bridge", 8, kill_bridge),
    Blow("freeze bridge", 8, freeze_bridge),
    Blow("restart bridge", 2, restart_bridge),
    Blow("freeze kafka", 4, freeze_kafka),
    Blow("kill kafka", 2, kill_kafka),
    Blow("restart kafka", 1, restart_kafka),
    Blow("freeze redis", 3, freeze_redis),
    Blow("kill redis", 4, kill_redis),
    Blow("flush redis", 2, flush_redis),
    *links(),
)


def chosen(dice: Random, count: int) -> list[Blow]:
    """By weight, in an order of the seed's; each kind once before any comes twice, where there is room for it."""
    once = sorted(BLOWS, key=lambda blow: dice.random() ** (1 / blow.weight), reverse=True)
    rest = dice.choices(BLOWS, [blow.weight for blow in BLOWS], k=max(0, count - len(once)))
    blows = [*once, *rest][:count]
    dice.shuffle(blows)
    return blows
