"""The state of triggers as a Hypothesis machine, against a slow and obvious model; restarts included."""

import asyncio
import bisect
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from bridge.sandbox.positions import decode_position
from bridge.sandbox.settings import Profile
from tests.sandbox.driver import SOURCE, START_MS, Driver, FixedClock, comment

T = TypeVar("T")
NAMES = ("plain", "filtered")
FILTER = {"user_properties": {"number:kind": {"one_of": [0]}}}


class TriggerMachine(RuleBasedStateMachine):
    """The model is a sorted list of (position, comment id, kind) and one position a trigger."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = FixedClock()
        self.profile = Profile.TODAY
        self.data: list[tuple[tuple[int, bytes], str, int]] = []
        self.positions: dict[str, tuple[int, bytes]] = {}
        self.issued: list[str] = []
        self.made = 0
        self.driver: Driver

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def open(self) -> None:
        self.driver = Driver(Path(self.directory.name) / "m.sqlite", self.clock, self.profile)

    @initialize(profile=st.sampled_from(list(Profile)))
    def begin(self, profile: Profile) -> None:
        self.profile = profile
        self.open()
        self.run(self.driver.prepare())
        self.made = 1
        self.run(self.driver.create_trigger("plain"))
        self.run(self.driver.create_trigger("filtered", comment_filter=FILTER))
        self.positions = dict.fromkeys(NAMES, (0, b""))

    def waiting(self, name: str) -> list[tuple[tuple[int, bytes], str, int]]:
        return self.data[bisect.bisect_right(self.data, (self.positions[name], "\U0010ffff", 9)) :]

    def page(self, name: str, size: int, max_filtered: int) -> tuple[list[str], int, tuple[int, bytes]]:
        """Ids, filtered and end of the page that the sheet promises, one comment at a time."""
        allowed = max_filtered if name == "filtered" else 0
        ids: list[str] = []
        filtered, end = 0, self.positions[name]
        for position, comment_id, kind in self.waiting(name):
            if len(ids) + max(0, filtered - allowed) >= size:
                break
            end = position
            if name == "filtered" and kind:
                filtered += 1
            else:
                ids.append(comment_id)
        return ids, filtered, end

    @rule(kinds=st.lists(st.integers(0, 1), min_size=1, max_size=6), wait_ms=st.integers(0, 3))
    def upload(self, kinds: list[int], wait_ms: int) -> None:
        self.clock.at_ms += wait_ms
        first, self.made = self.made, self.made + len(kinds)
        uploads = [comment(f"{first + n:x}", user_properties={"number:kind": kind}) for n, kind in enumerate(kinds)]
        known = {comment_id for _, comment_id, _ in self.data}
        assert self.run(self.driver.upload(uploads))["new"] == len(kinds)
        for line in self.run(self.driver.expected("plain")):
            comment_id = line["uid"].partition(".")[2]
            if comment_id not in known:
                position = decode_position(line["sequence_id"])
                assert not self.data or position.ms >= self.data[-1][0][0]
                kind = kinds[int(comment_id, 16) - first]
                bisect.insort(self.data, ((position.ms, position.tie), comment_id, kind))

    @precondition(lambda self: self.data)
    @rule(pick=st.integers(0, 10**6))
    def upload_again_with_another_text(self, pick: int) -> None:
        _, comment_id, kind = self.data[pick % len(self.data)]
        changed = comment(comment_id, f"text {pick}", user_properties={"number:kind": kind})
        answer = self.run(self.driver.upload([changed]))
        assert answer["new"] == 0

    @precondition(lambda self: self.data)
    @rule(pick=st.integers(0, 10**6))
    def delete(self, pick: int) -> None:
        _, comment_id, _ = self.data.pop(pick % len(self.data))
        self.run(self.driver.ok("DELETE", f"{SOURCE}/comments?ids={comment_id}"))

    @rule(name=st.sampled_from(NAMES), size=st.integers(1, 9), max_filtered=st.integers(0, 5))
    def fetch(self, name: str, size: int, max_filtered: int) -> None:
        ids, filtered, end = self.page(name, size, max_filtered)
        more = {"max_filtered": max_filtered} if max_filtered else {}
        page = self.run(self.driver.fetch(size, name, **more))
        assert [result["comment"]["id"] for result in page["results"]] == ids
        assert page["filtered"] == filtered
        assert tuple(decode_position(page["sequence_id"])) == end
        if self.profile is Profile.TODAY:
            rest = [entry for entry in self.waiting(name) if entry[0] > end]
            assert page["is_end_sequence"] is not bool(rest)
        self.issued += [page["sequence_id"], *(result["sequence_id"] for result in page["results"])]

    @precondition(lambda self: self.issued)
    @rule(name=st.sampled_from(NAMES), pick=st.integers(0, 10**6))
    def advance_to_anything_ever_issued(self, name: str, pick: int) -> None:
        """A batch id or a comment's, of any trigger, fresh or stale, of a deleted comment too."""
        sequence_id = self.issued[pick % len(self.issued)]
        self.run(self.driver.advance(sequence_id, name))
        position = decode_position(sequence_id)
        self.positions[name] = (position.ms, position.tie)

    @rule(name=st.sampled_from(NAMES), offset_ms=st.integers(-3, 12))
    def reset(self, name: str, offset_ms: int) -> None:
        at_ms = START_MS + offset_ms
        text = f"2020-06-01T13:27:{29 + (at_ms % 60000 - 29000) // 1000:02d}.{at_ms % 1000:03d}"
        path = f"/api/v1/datasets/org1/collateral/triggers/{name}/reset"
        self.run(self.driver.ok("POST", path, {"to_comment_created_at": text}))
        self.positions[name] = (at_ms, b"")

    @rule()
    def restart(self) -> None:
        source_id = self.driver.source_id
        self.run(self.driver.close())
        self.open()
        self.driver.source_id = source_id

    @invariant()
    def everything_is_still_expected_in_order(self) -> None:
        if self.made:
            expected = [line["uid"].partition(".")[2] for line in self.run(self.driver.expected("filtered"))]
            assert expected == [comment_id for _, comment_id, kind in self.data if not kind]

    @override
    def teardown(self) -> None:
        if self.made:
            self.run(self.driver.close())
        self.loop.close()
        self.directory.cleanup()


TestTriggerMachine = TriggerMachine.TestCase
TestTriggerMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
