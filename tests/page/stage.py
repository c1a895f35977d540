"""The real page over the real API and a real supervisor, with fakes for neighbours, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from typing_extensions import override

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.wire import decode_result
from bridge.app.admin.api import AdminParts, create_admin
from bridge.app.admin.auth import Tokens
from bridge.app.admin.server import serving
from bridge.domain.conditions import AllOf, AnyOf, EntityPresent, LabelHolds, Not
from bridge.domain.decide import decide
from bridge.domain.model import Batch, Generation, TriggerName, TriggerRef
from bridge.domain.plan import DeadLetter, TriggerPlan
from bridge.domain.redrive import Fate, Redriven
from bridge.domain.rules import Route, RuleSet
from bridge.engine.desk import Desk
from bridge.engine.supervisor import Supervisor
from tests.fakes.redrive import FakeRedrive
from tests.fakes.results import SOURCE_ID, a_batch, raw_result
from tests.fakes.source import FakeSource
from tests.fakes.topic_reader import FakeReplayCounter, FakeTopicReader
from tests.unit.engine.world import OWNER, STOP_TIMEOUT_S, World

NO_TOKENS = Tokens(read=None, operate=None)
SCRIPT = "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'> & \"so on\""
DISPUTES = TriggerName("disputes")
REF = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
PATIENCE_S = 20.0
T = TypeVar("T")


def disputes() -> TriggerPlan:
    """Conditions of every kind."""
    money = AnyOf((EntityPresent("monetary-quantity"), LabelHolds(("Urgent",), 0.6)))
    urgent = AllOf((LabelHolds(("Trade", "Settlement"), 0.8), Not(LabelHolds(("Spam",), 0.5)), money))
    return TriggerPlan(
        name=DISPUTES,
        ref=REF,
        rules=RuleSet(
            [
                Route(name="urgent", topic="rpa.disputes.urgent", when=urgent),
                Route(name="trades", topic="rpa.trades", when=LabelHolds(("Trade", "*"), 0.6)),
                Route(name="next", topic="rpa.next", when=LabelHolds(("Delay",), 0.4), shadow=True),
            ]
        ),
        unmatched_topic="rpa.unrouted",
        dead_letter=DeadLetter(topic="rpa.dead"),
        poll_interval_s=0.2,
        batch_size=16,
    )


class PacedSource(FakeSource):
    """One whose pages take their time, so that a replay can be watched."""

    pace_s = 0.0

    @override
    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        await asyncio.sleep(self.pace_s)
        return await super().fetch(trigger, size)


def mail(number: int, uploaded: datetime, text: str = "") -> bytes:
    """The result of that number; its labels spread over all probabilities."""
    spread = (number * 37 % 101) / 100
    labels = {
        "Trade > Settlement": round(1 - spread * spread, 4),
        "Trade > Confirmation": round(spread / 2, 4),
        "Delay": round(spread**3, 4),
        "Spam": round((number * 53 % 101) / 100 * (0.9 if number % 7 == 0 else 0.3), 4),
        "Urgent": round((number * 71 % 101) / 100, 4),
    }
    message = {
        "from": "trader@example.com",
        "subject": {"text": f"Failed settlement of trade {4711 + number}"},
        "body": {"text": text or f"Dear team,\n\ntrade {4711 + number} has not settled. Please look into it today."},
    }
    raw = json.loads(raw_result(number, labels, created_at=uploaded.isoformat().replace("+00:00", "Z")))
    raw["comment"]["messages"] = [message]
    raw["entities"] = [{"kind": "monetary-quantity", "name": "amount"}] if number % 3 == 0 else []
    return json.dumps(raw).encode()


@dataclass
class Stage:
    """Where a browser can go. `desk` takes the place of the supervisor where a test brings its own."""

    tokens: Tokens = NO_TOKENS
    plans: Sequence[TriggerPlan] = ()
    desk: Desk | None = None
    url: str = ""
    topics: FakeTopicReader = field(default_factory=FakeTopicReader)
    redrive: FakeRedrive = field(default_factory=FakeRedrive)
    source: PacedSource = field(default_factory=PacedSource)

    def __post_init__(self) -> None:
        self.plans = self.plans or (disputes(),)
        self.uploaded = 0
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.world = World(self.plans[0])
        for plan in self.plans:
            self.source.make(plan.ref)
        self.world.neighbours = replace(self.world.neighbours, source=self.source, clock=SystemClock())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Done on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def call(self, what: Callable[[], T]) -> T:
        """Likewise."""

        async def called() -> T:
            return what()

        return self.run(called())

    def upload(self, count: int, text: str = "", minutes_apart: float = 1.0) -> None:
        """Results of the last hours, to the first trigger."""
        now = datetime.now(UTC)
        numbers = range(self.uploaded + 1, self.uploaded + count + 1)
        raws = [
            mail(number, now - timedelta(minutes=(count - place) * minutes_apart), text)
            for place, number in enumerate(numbers)
        ]
        self.uploaded += count
        self.call(lambda: self.source.upload(self.plans[0].ref, raws))

    def land(self, count: int) -> None:
        """Records of results on the topics, as the trigger would have published them, and some dead letters."""
        now = datetime.now(UTC)
        raws = [mail(number, now - timedelta(minutes=count - number)) for number in range(1, count + 1)]
        bad = [
            b'{"sequence_id":"bad%d","comment":{"uid":"%s.bad%d"},"labels":5}' % (n, SOURCE_ID.encode(), n)
            for n in range(3)
        ]
        plan = self.plans[0]
        self.topics.now_ms = round(now.timestamp() * 1000)
        self.topics.land(decide(a_batch([*raws, *bad]), plan, Generation(0), {}, "").deliveries)
        dead = [record for record in self.topics.records if record.is_dead]
        self.redrive.fates = tuple(
            Redriven(dead_letter=record.place.spelled, uid=record.uid, fate=fate, topics=())
            for record, fate in zip(dead, (Fate.REDRIVEN, Fate.REDRIVEN, Fate.STILL_DEAD), strict=True)
        )

    @contextmanager
    def open(self) -> Iterator[Stage]:
        """Serving."""
        thread = threading.Thread(target=self._loop.run_forever, name="page stage", daemon=True)
        thread.start()
        try:
            self.url = self.run(self._begin())
            yield self
        finally:
            self.run(self._stack.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(PATIENCE_S)
            self._loop.close()

    def hang_up(self) -> None:
        """End every stream; new ones may begin."""

        async def ended() -> None:
            self._leaving.set()
            await asyncio.sleep(0.2)
            self._leaving.clear()

        self.run(ended())

    async def _begin(self) -> str:
        self._leaving = leaving = asyncio.Event()
        supervisor = await self._stack.enter_async_context(supervised(self.world, self.plans))
        parts = AdminParts(
            desk=self.desk or supervisor,
            supervisor=supervisor,
            source=self.source,
            topics=self.topics,
            counter=FakeReplayCounter(self.topics),
            redrive=self.redrive,
            tokens=self.tokens,
            pings={},
            clock=SystemClock(),
            decode=decode_result,
            leaving=leaving,
        )
        port = await self._stack.enter_async_context(serving(create_admin(parts), "127.0.0.1", 0, leaving))
        return f"http://127.0.0.1:{port}/"


@asynccontextmanager
async def supervised(world: World, plans: Sequence[TriggerPlan]) -> AsyncIterator[Supervisor]:
    """At work, in real time."""
    supervisor = Supervisor(world.neighbours, world.store, world.signals, lambda: 0.5, STOP_TIMEOUT_S, OWNER)
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(plans, stop))
    while not supervisor.is_ready:
        await asyncio.sleep(0.01)
    try:
        yield supervisor
    finally:
        stop.set()
        await task
