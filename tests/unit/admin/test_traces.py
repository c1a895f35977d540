"""The routes over the topics: where a comment went, dead letters, redrives, and how much a replay would bring."""

from __future__ import annotations

from datetime import timedelta

from bridge.domain.decide import decide
from bridge.domain.model import Generation
from bridge.domain.redrive import Fate, Redriven
from bridge.domain.replay_count import COUNTED_RECORDS_MAX, Count
from tests.fakes.clock import START
from tests.fakes.plans import a_plan, a_route
from tests.fakes.redrive import FakeRedrive
from tests.fakes.results import SOURCE_ID, a_batch, raw_result
from tests.fakes.topic_reader import FakeTopicReader
from tests.unit.admin.office import READ, assert_problem, open_office
from tests.unit.engine.world import World

ONE = "/api/v1/triggers/disputes"
BAD = b'{"sequence_id": "seq-9", "comment": {"uid": "' + SOURCE_ID.encode() + b'.9"}, "labels": 5}'
PLAN = a_plan(extra=(a_route("both", "Urgent"),))


def topics(*raws: bytes, generation: int = 0, into: FakeTopicReader | None = None) -> FakeTopicReader:
    reader = into or FakeTopicReader(now_ms=round(START.timestamp() * 1000))
    reader.land(decide(a_batch(raws), PLAN, Generation(generation), {}, "").deliveries)
    return reader


def uploaded(number: int, hours_ago: float) -> bytes:
    at = (START - timedelta(hours=hours_ago)).isoformat().replace("+00:00", "Z")
    return raw_result(number, {"Urgent": 0.9}, created_at=at)


async def test_a_comment_is_found_wherever_it_went() -> None:
    there = topics(uploaded(1, 2), uploaded(2, 1))
    topics(uploaded(1, 2), generation=1, into=there)
    async with open_office(World(PLAN), topics=there) as office, office.asking(READ) as http:
        path = f"/api/v1/comments/{SOURCE_ID}.1/deliveries"
        shown = (await http.get(path)).json()
        first = (await http.get(path, params={"limit": 3})).json()
        second = (await http.get(path, params={"limit": 3, "after": first["next"]})).json()
    found = [(each["trigger"], each["route"], each["generation"], each["topic"]) for each in shown["deliveries"]]
    assert found == [
        ("disputes", "both", 1, "rpa.both"),
        ("disputes", "urgent", 1, "rpa.urgent"),
        ("disputes", "both", 0, "rpa.both"),
        ("disputes", "urgent", 0, "rpa.urgent"),
    ]
    assert shown["is_whole"] is True
    assert [*first["deliveries"], *second["deliveries"]] == shown["deliveries"]


async def test_dead_letters_are_listed_with_their_reason() -> None:
    """I8."""
    async with open_office(World(PLAN), topics=topics(uploaded(1, 1), BAD)) as office:
        shown = (await office.http.get(f"{ONE}/dead-letters")).json()
        assert_problem(await office.http.get("/api/v1/triggers/none/dead-letters"), 404, "unknown_trigger")
    (letter,) = shown["dead_letters"]
    assert (letter["reason"], letter["uid"], letter["topic"]) == ("bad_labels", f"{SOURCE_ID}.9", "rpa.dead")


async def test_a_redrive_needs_the_operate_token_and_says_what_became_of_each() -> None:
    redrive = FakeRedrive(fates=(Redriven(dead_letter="rpa.dead/0/0", uid="u", fate=Fate.REDRIVEN, topics=("t",)),))
    async with open_office(World(PLAN), redrive=redrive) as office:
        async with office.asking(READ) as http:
            assert_problem(await http.post(f"{ONE}/redrive"), 403, "forbidden")
        dry = (await office.http.post(f"{ONE}/redrive", json={"dry_run": True, "limit": 5})).json()
        done = (await office.http.post(f"{ONE}/redrive")).json()
        assert_problem(await office.http.post(f"{ONE}/redrive", json={"limit": 0}), 422, "invalid_request")
    assert (dry["fates"], done["fates"]) == ({"would_redrive": 1}, {"redriven": 1})
    assert [(wish.dry_run, wish.limit) for wish in redrive.wishes] == [(True, 5), (False, 100)]


async def test_a_preview_counts_comments_once_within_both_bounds() -> None:
    there = topics(*(uploaded(number, 5 - number) for number in range(1, 5)))
    topics(uploaded(3, 2), generation=1, into=there)
    async with open_office(World(PLAN), topics=there) as office, office.asking(READ) as http:

        async def asked(**query: str) -> tuple[int, bool]:
            answer = await http.get(f"{ONE}/resets/preview", params=query)
            assert answer.status_code == 200, answer.text
            return answer.json()["results"], answer.json()["is_estimate"]

        begin, end = (START - timedelta(hours=3)).isoformat(), (START - timedelta(hours=1)).isoformat()
        assert await asked(to=begin) == (3, False)
        assert await asked(to=begin, until=end) == (2, False), "until is not in it"
        assert await asked(to=START.isoformat()) == (0, False)
        assert_problem(await http.get(f"{ONE}/resets/preview"), 422, "invalid_request")


def test_what_was_not_read_whole_is_an_estimate() -> None:
    there = topics(uploaded(1, 1), uploaded(2, 1)).records
    count = Count(trigger=PLAN.ref.identity, since=START - timedelta(hours=2), until=None)
    count.add(there)
    whole, part = count.result(len(there), None), count.result(COUNTED_RECORDS_MAX * 2, None)
    assert (whole.comments, whole.is_estimate) == (2, False)
    assert (part.comments, part.is_estimate) == (2 * COUNTED_RECORDS_MAX * 2 // len(there), True)


async def test_everybody_is_told_who_they_are() -> None:
    async with open_office(World()) as office:
        assert (await office.http.get("/api/v1/me")).json() == {"who": "operate", "may_operate": True}
        async with office.asking(READ) as http:
            assert (await http.get("/api/v1/me")).json() == {"who": "read", "may_operate": False}
        async with office.asking(None) as http:
            assert_problem(await http.get("/api/v1/me"), 401, "unauthorized")
