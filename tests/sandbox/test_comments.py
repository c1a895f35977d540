"""Comments: upsert by id, read, delete, and the limits."""

from typing import Any

import pytest

from bridge.sandbox.settings import Profile
from tests.sandbox.driver import SOURCE, Driver, comment, mails

MAIL: dict[str, Any] = {
    "id": "0123456789abcdef",
    "timestamp": "2011-12-11T01:02:03.000000+00:00",
    "messages": [
        {
            "from": "alice@example.com",
            "to": ["bob@example.org"],
            "sent_at": "2011-12-11T11:02:03",
            "subject": {"text": "Figures"},
            "body": {"text": "Where are the figures?"},
            "signature": {"text": "Alice"},
        },
        {"language": "fr", "body": {"text": "Fine", "translated_from": "Très bien"}},
    ],
    "user_properties": {"string:City": "London", "number:Deal Value": 12000.5, "number:Count": 3},
    "thread_id": "3c31",
}


async def test_sync_counts_new_unchanged_and_updated(each: Driver) -> None:
    await each.prepare()
    extra = {"updated_properties_only": 0, "updated_text_changed": 0} if each.box.today else {}
    first = await each.upload([comment("aa"), comment("bb")])
    assert first == {"status": "ok", "new": 2, "unchanged": 0, "updated": 0, **extra}
    second = await each.upload([comment("aa"), comment("bb", "Changed"), comment("cc")])
    assert (second["new"], second["unchanged"], second["updated"]) == (1, 1, 1)


async def test_today_says_what_was_updated(today: Driver) -> None:
    await today.prepare()
    await today.upload([comment("aa"), comment("bb")])
    changed = comment("aa", user_properties={"string:x": "y"})
    answer = await today.upload([changed, comment("bb", "Changed")])
    assert (answer["updated"], answer["updated_properties_only"], answer["updated_text_changed"]) == (2, 1, 1)


async def test_a_comment_comes_back_as_it_was_sent_with_its_times_in_one_form(each: Driver) -> None:
    await each.prepare()
    await each.upload([MAIL])
    got = (await each.ok("GET", f"{SOURCE}/comments/{MAIL['id']}?include_markup=true"))["comment"]
    assert got["uid"] == f"{each.source_id}.{MAIL['id']}"
    assert got["timestamp"] == "2011-12-11T01:02:03.000000Z"
    assert got["messages"][0]["sent_at"] == "2011-12-11T11:02:03.000000Z"
    assert got["messages"][1] == MAIL["messages"][1]
    assert got["user_properties"] == MAIL["user_properties"]
    assert got["created_at"] == got["last_modified"] == "2020-06-01T13:27:29.450000Z"
    assert ("attachments" in got) is ("has_annotations" in got) is each.box.today


async def test_created_at_is_the_upload_and_stays(each: Driver) -> None:
    await each.prepare()
    await each.upload([comment("aa")])
    each.clock.at_ms += 60_000
    await each.upload([comment("aa", "Changed")])
    got = (await each.ok("GET", f"{SOURCE}/comments/aa"))["comment"]
    assert got["created_at"] == "2020-06-01T13:27:29.450000Z"
    assert got["last_modified"] == "2020-06-01T13:28:29.450000Z"
    assert got["messages"][0]["body"]["text"] == "Changed"


@pytest.mark.parametrize("query", ["ids=aa,bb", "id=aa&id=bb", "ids=aa&id=bb"])
async def test_delete_takes_ids_both_ways_and_is_404_the_second_time(each: Driver, query: str) -> None:
    await each.prepare()
    await each.upload([comment("aa"), comment("bb"), comment("cc")])
    await each.ok("DELETE", f"{SOURCE}/comments?{query}")
    await each.refused(404, "DELETE", f"{SOURCE}/comments?{query}")
    await each.refused(404, "GET", f"{SOURCE}/comments/aa")
    await each.ok("GET", f"{SOURCE}/comments/cc")


async def test_delete_takes_128_ids_and_not_more(each: Driver) -> None:
    await each.prepare()
    uploads = mails(129)
    await each.upload(uploads)
    ids = ",".join(upload["id"] for upload in uploads)
    await each.refused(400, "DELETE", f"{SOURCE}/comments?ids={ids}")
    await each.ok("DELETE", f"{SOURCE}/comments?ids={ids.rpartition(',')[0]}")


async def test_one_bad_comment_keeps_the_whole_batch_out(each: Driver) -> None:
    await each.prepare()
    bad = comment("bb", timestamp="2060-01-01T00:00:00Z")
    await each.refused(400, "POST", f"{SOURCE}/sync", {"comments": [comment("aa"), bad]})
    await each.refused(404, "GET", f"{SOURCE}/comments/aa")


async def test_a_batch_passes_at_the_profiles_limit_and_not_past_it(each: Driver) -> None:
    await each.prepare()
    limit = 1024 if each.box.settings.profile is Profile.Y2020 else 16384
    assert (await each.upload(mails(limit)))["new"] == limit
    message = await each.refused(400, "POST", f"{SOURCE}/sync", {"comments": mails(limit + 1)})
    assert "is too long at 'comments'" in message


LIMITS = [
    ("id", comment("a" * 512), comment("g" * 513), "2020"),
    ("id case", comment("ab"), comment("AB"), "2020"),
    ("id", comment("A" * 1024), comment("A" * 1025), "today"),
    ("id marks", comment("a.b@c!"), comment("a b"), "today"),
    ("earliest", comment("a", timestamp="1950-01-01"), comment("a", timestamp="1949-12-31T23:59:59.999999Z"), "both"),
    (
        "latest",
        comment("a", timestamp="2049-12-31T23:59:59.999999"),
        comment("a", timestamp="2049-12-31T23:59:59-00:01"),
        "both",
    ),
    ("time", comment("a", timestamp="2020-02-29"), comment("a", timestamp="2021-02-29"), "both"),
    ("body", comment("a", "x" * 65536), comment("a", "x" * 65537), "both"),
    ("no messages", comment("a", messages=[]), comment("a", messages=[{}]), "both"),
    (
        "messages",
        comment("a", messages=[{"body": {"text": ""}}] * 2048),
        comment("a", messages=[{"body": {"text": ""}}] * 2049),
        "both",
    ),
    (
        "from",
        comment("a", messages=[{"body": {"text": ""}, "from": "x" * 512}]),
        comment("a", messages=[{"body": {"text": ""}, "from": "x" * 513}]),
        "both",
    ),
    (
        "to",
        comment("a", messages=[{"body": {"text": ""}, "to": ["x"] * 2048}]),
        comment("a", messages=[{"body": {"text": ""}, "to": ["x"] * 2049}]),
        "both",
    ),
    (
        "language",
        comment("a", messages=[{"body": {"text": ""}, "language": "x" * 8}]),
        comment("a", messages=[{"body": {"text": ""}, "language": "x" * 9}]),
        "both",
    ),
    (
        "translation",
        comment("a", messages=[{"body": {"text": "", "translated_from": "x"}, "language": "fr"}]),
        comment("a", messages=[{"body": {"text": "", "translated_from": "x"}}]),
        "both",
    ),
    (
        "string property",
        comment("a", user_properties={"string:x": "1"}),
        comment("a", user_properties={"string:x": 1}),
        "both",
    ),
    (
        "number property",
        comment("a", user_properties={"number:x": 1e300}),
        comment("a", user_properties={"number:x": True}),
        "both",
    ),
    (
        "property type",
        comment("a", user_properties={"number:x": -1}),
        comment("a", user_properties={"date:x": "2020"}),
        "both",
    ),
    (
        "attachments",
        comment("a", attachments=[{"name": "a", "content_type": "b", "size": 0}] * 128),
        comment("a", attachments=[{"name": "a", "content_type": "b", "size": 0}] * 129),
        "today",
    ),
    (
        "attachment size",
        comment("a", attachments=[{"name": "a", "content_type": "b", "size": 0}]),
        comment("a", attachments=[{"name": "a", "content_type": "b", "size": -1}]),
        "today",
    ),
    ("unknown key", comment("a"), comment("a", attachments=[]), "2020"),
]


@pytest.mark.parametrize(("what", "fits", "does_not", "profile"), LIMITS, ids=[f"{row[0]}-{row[3]}" for row in LIMITS])
async def test_a_comment_passes_at_each_limit_and_not_past_it(
    each: Driver, what: str, fits: dict[str, Any], does_not: dict[str, Any], profile: str
) -> None:
    if profile not in ("both", each.box.settings.profile):
        return
    await each.prepare()
    assert (await each.upload([fits]))["new"] == 1, what
    await each.refused(400, "POST", f"{SOURCE}/sync", {"comments": [does_not]})


@pytest.mark.parametrize("key", ["id", "timestamp", "messages"])
async def test_required_fields_are_named_in_the_refusal(each: Driver, key: str) -> None:
    await each.prepare()
    upload = comment("aa")
    del upload[key]
    message = await each.refused(400, "POST", f"{SOURCE}/sync", {"comments": [upload]})
    assert message == f"'{key}' is a required property at 'comments/0'"


async def test_text_that_utf8_cannot_carry_is_kept_and_delivered(each: Driver) -> None:
    """Lone surrogates, emoji, numbers past 64 bits: lawful JSON, so they survive the whole way."""
    await each.prepare(entity_kinds=["email"])
    await each.create_trigger()
    raw = (
        b'{"comments": [{"id": "aa", "timestamp": "2020-01-01", "messages": [{"body": {"text": '
        b'"half \\ud83d of \\ud83d\\ude00, write a@b.example"}}], "user_properties":'
        b' {"number:n": 123456789012345678901}}]}'
    )
    answer = await each.client.post(f"{SOURCE}/sync", content=raw)
    assert answer.json()["new"] == 1, answer.text
    page = await each.fetch()
    got = page["results"][0]["comment"]
    assert got["messages"][0]["body"]["text"] == "half \ud83d of \U0001f600, write a@b.example"
    assert got["user_properties"]["number:n"] == 123456789012345678901


async def test_a_lone_surrogate_elsewhere_is_refused(each: Driver) -> None:
    answer = await each.client.put(SOURCE, content=b'{"source": {"title": "\\ud800"}}')
    assert answer.status_code == 400
