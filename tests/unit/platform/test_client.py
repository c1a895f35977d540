"""Every operation, as it goes over the wire and as it comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bridge import __version__
from bridge.adapters.platform.client import UNTAGGED_AT_ONCE, PlatformClient, instant_text
from bridge.adapters.platform.settings import Api
from bridge.adapters.platform.triggers import LabelThreshold, PinnedModel, TriggerException, TriggerSpec
from bridge.domain.errors import Blocked, Fatal, Retry, StopTrigger
from bridge.domain.model import SequenceId, TriggerRef
from tests.fakes.clock import FakeClock
from tests.unit.platform.answering import BASE_URL, REF, TOKEN, Answer, Platform, client_of, settings_of
from tests.unit.platform.pages import BATCH_ID, page_of, raw_result, sequence_ids

PREFIX = "/acme/prod/reinfer_/api/v1/datasets/org1/collateral"
TRIGGER_2020 = {
    "id": "0123456789abcdef",
    "dataset_id": "fedcba9876543210",
    "name": "dispute",
    "title": "Disputes",
    "description": "",
    "created_at": "2020-06-01T13:27:29.450000Z",
    "updated_at": "2020-06-01T13:27:29",
    "model": {"version": "8", "label_thresholds": [{"name": ["Trade", "Settlement"], "threshold": 0.8}]},
}


@pytest.mark.parametrize("api", list(Api))
async def test_fetch_asks_for_a_size_and_gives_a_batch(api: Api) -> None:
    platform = Platform(Answer(body=page_of(raw_result(1), raw_result(2))))
    async with client_of(platform, settings_of(api=api)) as client:
        batch = await client.fetch(REF, 512)
    assert sequence_ids(batch) == ["seq-1", "seq-2"]
    assert (platform.asked[0].method, platform.asked[0].path) == ("POST", f"{PREFIX}/{api.value}/dispute/fetch")
    assert platform.asked[0].json == {"size": 512}


async def test_max_filtered_is_sent_only_when_given() -> None:
    platform = Platform(Answer(body=page_of()))
    async with client_of(platform) as client:
        await client.fetch(REF, 8, max_filtered=1024)
    assert platform.asked[0].json == {"size": 8, "max_filtered": 1024}


@pytest.mark.parametrize("api", list(Api))
async def test_advance_sends_the_id_as_it_is_and_gives_the_echo(api: Api) -> None:
    platform = Platform(Answer(body={"status": "ok", "sequence_id": "4LvtenIBAAA="}))
    async with client_of(platform, settings_of(api=api)) as client:
        assert await client.advance(REF, SequenceId("4LvtenIBAAA=")) == "4LvtenIBAAA="
    assert (platform.asked[0].method, platform.asked[0].path) == ("POST", f"{PREFIX}/{api.value}/dispute/advance")
    assert platform.asked[0].json == {"sequence_id": "4LvtenIBAAA="}


async def test_reset_sends_utc_and_gives_the_new_position() -> None:
    platform = Platform(Answer(body={"status": "ok", "sequence_id": "4LvtenIBAAA=", "trigger": TRIGGER_2020}))
    async with client_of(platform) as client:
        there = await client.reset(REF, datetime(2020, 6, 3, 18, 5, tzinfo=timezone(timedelta(hours=2))))
    assert there == "4LvtenIBAAA="
    assert platform.asked[0].path == f"{PREFIX}/triggers/dispute/reset"
    assert platform.asked[0].json == {"to_comment_created_at": "2020-06-03T16:05:00.000Z"}


async def test_a_reset_without_a_position_in_its_answer_is_none() -> None:
    async with client_of(Platform()) as client:
        with pytest.raises(Retry) as caught:
            await client.reset(REF, datetime(2020, 6, 3, tzinfo=UTC))
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2020, 6, 3, 16, 5, tzinfo=UTC), "2020-06-03T16:05:00.000Z"),
        (datetime(2020, 6, 3, 16, 5, 0, 450_000, tzinfo=UTC), "2020-06-03T16:05:00.450Z"),
        (datetime(2020, 6, 3, 16, 5, 0, 450_001, tzinfo=UTC), "2020-06-03T16:05:00.450001Z"),
        (datetime(2020, 6, 3, 16, 5), "2020-06-03T16:05:00.000Z"),  # noqa: DTZ001  the missing zone is the case
    ],
)
def test_trap_14_an_instant_is_always_sent_with_its_zone(instant: datetime, text: str) -> None:
    assert instant_text(instant) == text


@pytest.mark.parametrize("api", list(Api))
async def test_create_writes_the_version_as_a_number_and_only_what_was_set(api: Api) -> None:
    key = api.value[:-1]
    platform = Platform(Answer(body={"status": "ok", key: TRIGGER_2020}))
    spec = TriggerSpec(
        name="dispute",
        model=PinnedModel(version=8, label_thresholds=(LabelThreshold(name=("Trade",), threshold=0.8),)),
        comment_filter={"user_properties": {"string:X": {"one_of": ["a"]}}, "thread_properties": {"new": [1.0, 1]}},
    )
    async with client_of(platform, settings_of(api=api)) as client:
        trigger = await client.create("org1", "collateral", spec)
    assert trigger.name == "dispute"
    assert (platform.asked[0].method, platform.asked[0].path) == ("PUT", f"{PREFIX}/{api.value}")
    assert platform.asked[0].json == {
        key: {
            "name": "dispute",
            "model": {"version": 8, "label_thresholds": [{"name": ["Trade"], "threshold": 0.8}]},
            "comment_filter": {
                "user_properties": {"string:X": {"one_of": ["a"]}},
                "thread_properties": {"new": [1.0, 1]},
            },
        }
    }


async def test_trap_3_a_version_is_read_from_text_and_from_a_number() -> None:
    for version in ("8", 8, 8.0):
        body = {"status": "ok", "trigger": TRIGGER_2020 | {"model": {"version": version}}}
        async with client_of(Platform(Answer(body=body))) as client:
            trigger = await client.get(REF)
        assert trigger.model == PinnedModel(version=8)


async def test_get_reads_what_there_is() -> None:
    platform = Platform(Answer(body={"status": "ok", "trigger": TRIGGER_2020, "server": "new"}))
    async with client_of(platform) as client:
        trigger = await client.get(REF)
    assert (platform.asked[0].method, platform.asked[0].path) == ("GET", f"{PREFIX}/triggers/dispute")
    assert (trigger.id, trigger.dataset_id, trigger.title) == ("0123456789abcdef", "fedcba9876543210", "Disputes")
    assert trigger.created_at == datetime(2020, 6, 1, 13, 27, 29, 450_000, tzinfo=UTC)
    assert trigger.updated_at == datetime(2020, 6, 1, 13, 27, 29, tzinfo=UTC)
    assert trigger.model == PinnedModel(
        version=8, label_thresholds=(LabelThreshold(name=("Trade", "Settlement"), threshold=0.8),)
    )


async def test_trap_11_and_13_what_an_answer_leaves_out_or_nulls_is_survived() -> None:
    odd = {"name": "dispute", "title": None, "updated_at": None, "created_at": "soon", "comment_filter": None}
    async with client_of(Platform(Answer(body={"status": "ok", "trigger": odd}))) as client:
        trigger = await client.get(REF)
    assert (trigger.title, trigger.created_at, trigger.updated_at, trigger.model) == ("", None, None, None)


async def test_a_filter_is_kept_with_its_unknown_keys() -> None:
    """So that reading a trigger and writing it back loses nothing of it (trap 37)."""
    kept = {"trigger_exceptions": {"dispute": {"one_of": [None]}}, "entities": [{"deep": [1, 1.0]}]}
    body = {"status": "ok", "trigger": TRIGGER_2020 | {"comment_filter": kept}}
    async with client_of(Platform(Answer(body=body))) as client:
        assert (await client.get(REF)).comment_filter == kept


@pytest.mark.parametrize("trigger", [None, [], {}, {"name": 7}, TRIGGER_2020 | {"model": {"version": "next"}}])
async def test_a_trigger_that_is_none_is_asked_for_again_and_not_repeated(trigger: object) -> None:
    async with client_of(Platform(Answer(body={"status": "ok", "trigger": trigger}))) as client:
        with pytest.raises(Retry) as caught:
            await client.get(REF)
    assert caught.value.code == "bad_answer"
    assert "next" not in str(caught.value)


@pytest.mark.parametrize("api", list(Api))
async def test_list_gives_every_trigger_of_a_dataset(api: Api) -> None:
    two = [TRIGGER_2020, TRIGGER_2020 | {"name": "fees"}]
    platform = Platform(Answer(body={"status": "ok", api.value: two}))
    async with client_of(platform, settings_of(api=api)) as client:
        found = await client.list_triggers("org1", "collateral")
    assert [trigger.name for trigger in found] == ["dispute", "fees"]
    assert (platform.asked[0].method, platform.asked[0].path) == ("GET", f"{PREFIX}/{api.value}")


async def test_a_list_that_is_missing_is_not_an_empty_one() -> None:
    async with client_of(Platform()) as client:
        with pytest.raises(Retry) as caught:
            await client.list_triggers("org1", "collateral")
    assert caught.value.code == "bad_answer"


async def test_update_sends_what_changes() -> None:
    platform = Platform(Answer(body={"status": "ok", "trigger": TRIGGER_2020}))
    async with client_of(platform) as client:
        await client.update(REF, TriggerSpec(title="New"))
    assert (platform.asked[0].method, platform.asked[0].path) == ("POST", f"{PREFIX}/triggers/dispute")
    assert platform.asked[0].json == {"trigger": {"title": "New"}}


async def test_trap_32_delete_says_when_there_was_nothing_left_to_delete() -> None:
    platform = Platform(Answer(), Answer(status=404, body={"status": "error", "message": "no such trigger"}))
    async with client_of(platform) as client:
        await client.delete(REF)
        with pytest.raises(Blocked) as caught:
            await client.delete(REF)
    assert caught.value.code == "trigger_missing"
    assert (platform.asked[0].method, platform.asked[0].body) == ("DELETE", b"")


async def test_exceptions_are_tagged_and_untagged() -> None:
    platform = Platform()
    uids = [f"18ba5ce699f8da1f.a&b={n}" for n in range(UNTAGGED_AT_ONCE + 1)]
    async with client_of(platform) as client:
        await client.tag_exceptions(REF, [TriggerException(uid=uids[0], type="Wrong Prediction")])
        await client.untag_exceptions(REF, uids)
        await client.untag_exceptions(REF, [])
    assert [asked.method for asked in platform.asked] == ["PUT", "DELETE", "DELETE"]
    assert {asked.path for asked in platform.asked} == {f"{PREFIX}/triggers/dispute/exceptions"}
    assert platform.asked[0].json == {"exceptions": [{"uid": uids[0], "metadata": {"type": "Wrong Prediction"}}]}
    assert platform.asked[1].query.count("uid=") == UNTAGGED_AT_ONCE
    assert platform.asked[2].query == "uid=18ba5ce699f8da1f.a%26b%3D32"


@pytest.mark.parametrize("api", list(Api))
async def test_results_are_only_on_the_new_spelling(api: Api) -> None:
    first = b'{"comment":{"uid":"a.1","text":"\\ud800"},"prediction":{"taxonomies":[]},"continuation":"c1"}'
    body = b'{"status":"ok","results":[%b, {"odd":1}],"num_filtered":2,"more_results":true,"continuation":"c9"}' % first
    platform = Platform(Answer(body=body))
    async with client_of(platform, settings_of(api=api)) as client:
        page = await client.results(REF, max_results=5, max_filtered=15)
    assert (platform.asked[0].method, platform.asked[0].path) == ("GET", f"{PREFIX}/streams/dispute/results")
    assert platform.asked[0].query == "max_results=5&max_filtered=15"
    assert (page.raw, page.continuation, page.num_filtered, page.more_results) == (body, "c9", 2, True)
    assert [(result.raw, result.uid, result.continuation) for result in page.results] == [
        (first, "a.1", "c1"),
        (b'{"odd":1}', "", ""),
    ]


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"results":[]}', b'{"continuation":"c"}', b'{"status":"error","results":[]}']
)
async def test_results_that_are_no_page_are_asked_for_again(body: bytes) -> None:
    async with client_of(Platform(Answer(body=body))) as client:
        with pytest.raises(Retry) as caught:
            await client.results(REF)
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status":"error","message":"no"}', b'{"status":null}'])
async def test_a_success_without_an_answer_is_none(body: bytes) -> None:
    async with client_of(Platform(Answer(body=body))) as client:
        with pytest.raises(Retry) as caught:
            await client.advance(REF, SequenceId("s"))
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("base_url", [BASE_URL, BASE_URL + "/", BASE_URL + "//"])
async def test_trap_35_a_slash_at_the_end_of_the_base_url_is_none(base_url: str) -> None:
    platform = Platform(Answer(body=page_of()))
    async with client_of(platform, settings_of(base_url=base_url)) as client:
        await client.fetch(REF, 1)
    assert platform.asked[0].path == f"{PREFIX}/triggers/dispute/fetch"


async def test_a_base_url_without_a_prefix() -> None:
    platform = Platform(Answer(body=page_of()))
    async with client_of(platform, settings_of(base_url="https://acme.platform.test:8443")) as client:
        await client.fetch(REF, 1)
    assert platform.asked[0].path == "/api/v1/datasets/org1/collateral/triggers/dispute/fetch"
    assert platform.asked[0].headers["host"] == "acme.platform.test:8443"


async def test_names_are_one_path_segment_each_whatever_they_hold() -> None:
    platform = Platform(Answer(body=page_of()))
    async with client_of(platform) as client:
        await client.fetch(TriggerRef(project="a/b?c", dataset="d%2Fe #", trigger="ü..;x"), 1)
    assert platform.asked[0].path == (
        "/acme/prod/reinfer_/api/v1/datasets/a%2Fb%3Fc/d%252Fe%20%23/triggers/%C3%BC..%3Bx/fetch"
    )
    assert platform.asked[0].query == ""


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_would_climb_to_another_path_is_refused(name: str) -> None:
    platform = Platform()
    async with client_of(platform) as client:
        with pytest.raises(StopTrigger) as caught:
            await client.fetch(TriggerRef(project=name, dataset="d", trigger="t"), 1)
    assert caught.value.code == "bad_name"
    assert platform.asked == []


async def test_each_request_says_who_asks_what_it_takes_and_where_it_belongs() -> None:
    platform = Platform(Answer(body=page_of()))
    spans = iter(["00-aa-01-01", "00-aa-02-01"])
    async with client_of(platform, trace_headers=lambda: {"traceparent": next(spans)}) as client:
        await client.fetch(REF, 1)
        await client.fetch(REF, 1)
    headers = platform.asked[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == f"bridge/{__version__}"
    assert headers["accept-encoding"] == "zstd, gzip"
    assert headers["content-type"] == "application/json"
    assert [asked.headers["traceparent"] for asked in platform.asked] == ["00-aa-01-01", "00-aa-02-01"]


async def test_each_answer_is_reported_with_its_operation_and_code() -> None:
    platform = Platform(
        Answer(body=page_of()), Answer(status=503), Answer(body=b"x", headers={"content-encoding": "br"})
    )
    heard: list[tuple[str, str]] = []
    async with client_of(platform, on_answer=lambda op, code: heard.append((op, code))) as client:
        await client.fetch(REF, 1)
        for _ in range(2):
            with pytest.raises(Retry):
                await client.advance(REF, SequenceId(BATCH_ID))
    assert heard == [("fetch", "200"), ("advance", "503"), ("advance", "bad_encoding")]


@pytest.mark.parametrize(
    ("base_url", "code"),
    [
        ("platform.test", "bad_base_url"),
        ("ftp://platform.test", "bad_base_url"),
        ("https://", "bad_base_url"),
        ("https://user:hush@platform.test", "bad_base_url"),
        ("https://platform.test?tenant=1", "bad_base_url"),
        ("https://platform.test/#x", "bad_base_url"),
        ("https://platform.test:port", "bad_base_url"),
        ("https://[::1", "bad_base_url"),
        ("http://platform.test", "insecure_base_url"),
        ("http://10.0.0.1:8080", "insecure_base_url"),
    ],
)
def test_a_base_url_that_would_leak_or_mislead_is_refused_at_start(base_url: str, code: str) -> None:
    with pytest.raises(Fatal) as caught:
        PlatformClient(settings_of(base_url=base_url), FakeClock())
    assert caught.value.code == code
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "allow_insecure"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost", False),
        ("http://[::1]:1", False),
        ("http://platform.test", True),
    ],
)
async def test_plain_http_is_taken_on_loopback_or_by_name(base_url: str, allow_insecure: bool) -> None:
    await PlatformClient(settings_of(base_url=base_url, allow_insecure=allow_insecure), FakeClock()).aclose()
