"""What happened in a run, as seen from outside the service: by the platform, by the topics, by the harness.

Wall times are milliseconds since 1970, all by one machine's clock. A trigger is named `project/dataset/trigger`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Part(Enum):
    """Who can be killed or be out."""

    BRIDGE = "bridge"
    KAFKA = "kafka"
    REDIS = "redis"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A comment entered the platform."""

    at_ms: float
    uid: str
    sequence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The platform served a page: `sequence_ids` of its results, and the batch's own id.

    `worker` names one term of ownership (a process and its turn at the trigger), empty where nobody can tell.
    """

    at_ms: float
    trigger: str
    from_sequence_id: str
    sequence_ids: tuple[str, ...]
    batch_id: str
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """An advance reached the platform. `ok`: it took effect, whether or not its answer arrived.

    `is_late`: an old request may have arrived, or one of a zombie, which nobody can fence: it may move the position
    back (D15), and what lies behind it is to be advanced past anew.
    """

    at_ms: float
    trigger: str
    sequence_id: str
    ok: bool = True
    is_late: bool = False
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetDone:
    """The platform moved the position to `to`; `generation` is the one that begins with it.

    The way back from a replay with an end is one too: by an advance.
    """

    at_ms: float
    trigger: str
    to: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A record in a log, with the time the broker appended it; `trace` is that of the pass that sent it."""

    topic: str
    partition: int
    offset: int
    append_time_ms: float
    ce_id: str
    trigger: str
    generation: int
    route: str
    sequence_id: str
    uid: str
    key: bytes | None
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """SIGKILL was sent; the time is after the signal."""

    at_ms: float
    who: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A part did not serve between two times."""

    at_ms: float
    until_ms: float
    who: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownReceipt:
    """The service did not learn whether a record was appended, or that one before it in its partition was not."""

    at_ms: float
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostMark:
    """Marks of a trigger were not kept: a flush, an expiry, an eviction, a failover."""

    at_ms: float
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Zombie:
    """Between two times, work of a process that was dead or had lost the trigger could still take effect.

    Its bytes lay in a broker that stood still, or it slept and woke up behind a take-over: nobody can call that back.
    In `exactly_once` it is shut out, and excuses nothing but a fetch.
    """

    at_ms: float
    until_ms: float
    trigger: str


Event: TypeAlias = (
    Uploaded | Fetched | Advanced | ResetDone | Published | Killed | Outage | UnknownReceipt | LostMark | Zombie
)
History: TypeAlias = Sequence[Event]
"""In the order of the platform's log as far as the platform logged it; records of the topics in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One result and where it must go: routes to topics, empty for a result that is dropped."""

    sequence_id: str
    uid: str
    routes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a trigger should have delivered, by somebody else's reckoning than the service's.

    `generations` holds for each generation every result from where it began on, in the trigger's order. `drained`: the
    run went on until nothing was left, so that the last generation is owed whole. `windows` are generations that are
    replays with an end, `whole` those of them that came to it, so that all of it is owed. `exactly_once`: nothing
    excuses a repeat.
    """

    trigger: str
    generations: Mapping[int, Sequence[Expected]]
    drained: bool = True
    windows: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()
    exactly_once: bool = False
