"""The small languages of the file."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.app.config.values import (
    base_url,
    bootstrap_servers,
    did_you_mean,
    duration_s,
    key_from,
    label_pattern,
    topic,
)
from bridge.domain.plan import KeyFrom, KeyKind

UNITS = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
amounts = st.tuples(*(st.none() | st.integers(0, 9_999) for _ in UNITS)).filter(
    lambda parts: any(part is not None for part in parts)
)


@given(amounts)
def test_a_duration_is_the_sum_of_its_parts(parts: tuple[int | None, ...]) -> None:
    text = "".join(f"{part}{unit}" for part, (unit, _) in zip(parts, UNITS, strict=True) if part is not None)
    whole_ms = sum(part * size for part, (_, size) in zip(parts, UNITS, strict=True) if part is not None)
    assert duration_s(text) == pytest.approx(whole_ms / 1000)


@given(
    st.one_of(
        st.text(max_size=8), st.from_regex(r"\A[0-9.]{1,4}(ms|s|m|h|d|w|)[0-9]*(s|m)?\Z"), st.integers(), st.none()
    )
)
def test_anything_else_is_refused_and_nothing_else_raised(value: object) -> None:
    try:
        seconds = duration_s(value)
    except ValueError:
        return
    assert isinstance(value, str)
    assert math.isfinite(seconds)
    assert seconds >= 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("500ms", 0.5), ("1m30s", 90), ("24h", 86_400), ("1.5s", 1.5), ("7d", 604_800), ("0s", 0)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "5", "-5s", "5 s", "30s1m", "5s5s", "1e3s", "٥s", "5S", "1h 30m", "∞s", True, [], 0.5]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration_s(text)


@given(st.text(st.sampled_from("abcXYZ019._-"), min_size=1, max_size=249).filter(lambda name: name not in (".", "..")))
def test_every_name_that_kafka_takes_is_taken(name: str) -> None:
    assert topic(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "a" * 250, "a:b", 7, None])
def test_no_other_name_is(name: object) -> None:
    with pytest.raises(ValueError, match="topic"):
        topic(name)


@pytest.mark.parametrize(
    ("written", "levels"),
    [
        ("Trade", ("Trade",)),
        ("Trade > Settlement", ("Trade", "Settlement")),
        ("Trade > **", ("Trade", "**")),
        (["Trade", "A > B"], ("Trade", "A > B")),
        ("👨‍👩‍👧 > Zürich", ("👨‍👩‍👧", "Zürich")),
        (" > ".join("x" * 64), tuple("x" * 64)),
    ],
)
def test_labels_as_text_or_as_a_list(written: object, levels: tuple[str, ...]) -> None:
    assert label_pattern(written) == levels


@pytest.mark.parametrize(
    "written", ["", " ", "a > ", " > a", "a >  > b", [], [""], ["a", 1], {}, None, "a\nb", ["a\u2028b"]]
)
def test_what_is_no_label(written: object) -> None:
    with pytest.raises(ValueError, match="label"):
        label_pattern(written)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("comment.uid", KeyFrom()),
        ("none", KeyFrom(kind=KeyKind.NONE)),
        ("comment.thread_id", KeyFrom(kind=KeyKind.THREAD_ID)),
        (
            'user_properties["string:Sender Domain"]',
            KeyFrom(kind=KeyKind.USER_PROPERTY, user_property="string:Sender Domain"),
        ),
        ("user_properties['number:x[1]']", KeyFrom(kind=KeyKind.USER_PROPERTY, user_property="number:x[1]")),
    ],
)
def test_record_keys(written: str, key: KeyFrom) -> None:
    assert key_from(written) == key


@pytest.mark.parametrize(
    "written", ["", "uid", 'user_properties[""]', "user_properties[\"a']", "user_properties", None, 7]
)
def test_what_is_no_record_key(written: object) -> None:
    with pytest.raises(ValueError, match="record key"):
        key_from(written)


def test_addresses() -> None:
    assert bootstrap_servers("a:1, b:2") == bootstrap_servers(["a:1", "b:2"]) == "a:1,b:2"
    assert bootstrap_servers("[::1]:9092") == "[::1]:9092"
    assert base_url("https://host/a/b/") == "https://host/a/b"
    no_servers: list[object] = ["", "a", "a:0", "a:1,", "http://a:1", None, []]
    for written in no_servers:
        with pytest.raises(ValueError, match="host:port"):
            bootstrap_servers(written)
    no_urls = ["", "host", "ftp://host", "https://", "https://ho st", "https://host:0", "https://host:x", None]
    for written in no_urls:
        with pytest.raises(ValueError, match="write the platform's address"):
            base_url(written)


def test_something_near_is_offered_and_nothing_far() -> None:
    assert did_you_mean("Batch-Size", ["batch_size", "match"]) == ", did you mean batch_size?"
    assert did_you_mean("zebra", ["batch_size", "match"]) == ""
