"""Whole pages: nothing in them is lost, and what is no page is asked for again (D6, D7, I8)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.split import NotBalanced, split_elements, split_members
from bridge.adapters.platform.wire import READ_AT_ONCE_MAX, decode_page
from bridge.domain.errors import Retry
from bridge.domain.model import Undecodable
from bridge.domain.unread import Unread
from tests.unit.platform.pages import BATCH_ID, page_of, raw_result, sequence_ids


def test_a_page_is_its_results_in_order_with_their_bytes() -> None:
    raws = [raw_result(number) for number in range(5)]
    batch = decode_page(page_of(*raws, filtered=3, is_end_sequence=True), 8)
    assert [result.raw for result in batch.results] == raws
    assert (batch.sequence_id, batch.filtered, batch.is_end, batch.size_asked) == (BATCH_ID, 3, True, 8)


def test_a_large_page_is_read_while_somebody_goes_through_it() -> None:
    """What comes of it is the same."""
    raws = [b'{"comment":"\xff"}', b"7", *(raw_result(number) for number in range(READ_AT_ONCE_MAX))]
    large, small = decode_page(page_of(*raws), 512), decode_page(page_of(*raws[:3]), 512)
    assert isinstance(large.results, Unread)
    assert not isinstance(small.results, Unread)
    assert [result.raw for result in large.results] == raws
    assert list(large.results)[:3] == list(small.results)


@pytest.mark.parametrize("count", [3, READ_AT_ONCE_MAX + 1])
def test_results_of_a_plain_page_stand_in_it_until_they_are_kept(count: int) -> None:
    """Blanks around them are none of theirs, and what is no result is read as it is anywhere else."""
    raws = [raw_result(1), b"7", *(raw_result(number) for number in range(2, count))]
    plain = page_of(*raws).replace(b", ", b"\n , ")
    for result, raw in zip(decode_page(plain, 512).results, raws, strict=True):
        if isinstance(result, Undecodable):
            assert result.raw == raw == b"7"
            continue
        assert isinstance(result.rest, memoryview)
        assert (result.raw, bytes(result.rest)) == (raw.replace(b", ", b"\n , "), raw[1:].replace(b", ", b"\n , "))
        kept = result.kept()
        assert kept == result
        assert isinstance(kept.rest, bytes)


def test_results_of_a_page_with_more_than_ascii_are_copied_out_of_it() -> None:
    """Each is looked at for what is no UTF-8 (I8)."""
    raws = [
        raw_result(1),
        raw_result(2).replace(b"Hi Bob", "Grüezi".encode()),
        raw_result(3).replace(b"Hi Bob", b"\xff"),
    ]
    plain, read, broken = decode_page(page_of(*raws), 8).results
    assert isinstance(broken, Undecodable)
    for result, raw in ((plain, raws[0]), (read, raws[1])):
        assert not isinstance(result, Undecodable)
        assert (result.raw, result.rest) == (raw, raw[1:])
        assert isinstance(result.rest, bytes)


def test_a_large_page_of_garbage_is_told_at_the_latest_where_it_is_read() -> None:
    raws = [raw_result(number) for number in range(READ_AT_ONCE_MAX)]
    garbled = raw_result(1).replace(b'"entities": ', b'"entities": nope')
    with pytest.raises(Retry) as caught:
        list(decode_page(page_of(*raws, garbled), 512).results)
    assert caught.value.code == "bad_page"


def test_the_end_marker_is_unknown_where_the_platform_sends_none() -> None:
    """As in 2020."""
    assert decode_page(page_of(raw_result(), is_end_sequence=None), 1).is_end is None
    assert decode_page(page_of(raw_result(), is_end_sequence="yes"), 1).is_end is None


@pytest.mark.parametrize(
    ("filtered", "read"), [(None, 0), ("6", 6), (6.0, 6), (-1, 0), ([], 0), ("many", 0), (1e400, 0), (True, 1)]
)
def test_filtered_is_read_as_far_as_it_can_be(filtered: object, read: int) -> None:
    assert decode_page(page_of(filtered=filtered), 8).filtered == read


def test_trap_20_an_empty_page_still_has_a_position() -> None:
    batch = decode_page(page_of(filtered=6), 8)
    assert (list(batch.results), batch.filtered, batch.sequence_id) == ([], 6, BATCH_ID)


def test_trap_21_and_25_the_batch_id_is_taken_as_it_is() -> None:
    """It can lie past the last result; nothing of it is trimmed or decoded."""
    batch = decode_page(page_of(raw_result(1), sequence_id="4LvtenIBAAA= %2F\u00e9"), 8)
    assert batch.sequence_id == "4LvtenIBAAA= %2F\u00e9"
    assert sequence_ids(batch) == ["seq-1"]


def test_a_page_may_hold_more_than_was_asked_for() -> None:
    assert len(decode_page(page_of(*[raw_result(n) for n in range(5)]), 2).results) == 5


def test_unknown_keys_of_the_page_are_survived() -> None:
    batch = decode_page(page_of(raw_result(), model={"version": "1", "labels": [{"results": 1}]}, server="x"), 1)
    assert sequence_ids(batch) == ["seq-1"]


def test_a_page_without_a_status_is_taken() -> None:
    assert sequence_ids(decode_page(page_of(raw_result(), status=None), 1)) == ["seq-1"]


def test_a_byte_order_mark_and_blanks_are_survived() -> None:
    pretty = json.dumps(json.loads(page_of(raw_result(1), raw_result(2))), indent=2).encode()
    assert sequence_ids(decode_page(b"\xef\xbb\xbf" + pretty + b"\n", 2)) == ["seq-1", "seq-2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\x00\xff\xfe garbage",
        b"<!doctype html><html><body>502 Bad Gateway</body></html>",
        b"{}",
        b'{"status":"ok","sequence_id":"s"}',
        b'{"status":"ok","sequence_id":"s","results":null}',
        b'{"status":"ok","sequence_id":"s","results":{}}',
        b'{"status":"ok","sequence_id":"s","results":"[]"}',
        page_of(sequence_id=None),
        page_of(sequence_id=""),
        page_of(sequence_id=17),
        page_of(sequence_id=["s"]),
        page_of(raw_result(), status="error"),
        page_of(raw_result(), status=None).replace(b"{", b'{"status":null,', 1),
        page_of(raw_result())[:-1],
        page_of(raw_result()) + b"}",
        page_of(raw_result()) + page_of(raw_result()),
        page_of(raw_result(), b""),
        page_of(b'{"comment":{"uid":"a.1"},"sequence_id":"s","text":"\\ud800","labels":tru}'),
        page_of(b'{"comment":{"uid":"a.1"},"sequence_id":"s","labels":[}'),
        page_of(b'{"comment":{"uid":"a.1"},"sequence_id":"s" "x":1}'),
        b'{"status":"ok","sequence_id":"\\ud800","results":[]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_page_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Retry) as caught:
        decode_page(body, 8)
    assert caught.value.code == "bad_page"


def test_status_error_with_a_success_code_says_what_the_platform_said() -> None:
    body = json.dumps({"status": "error", "message": "no such label" + "!" * 10_000}).encode()
    with pytest.raises(Retry, match="no such label") as caught:
        decode_page(body, 8)
    assert caught.value.code == "bad_page"
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("text", ["plain", "\\ud800"])
def test_a_page_cut_anywhere_is_never_half_a_batch(at: float, text: str) -> None:
    whole = page_of(*[raw_result(n).replace(b"Hi Bob", text.encode()) for n in range(20)])
    with pytest.raises(Retry) as caught:
        decode_page(whole[: int(len(whole) * at)], 20)
    assert caught.value.code == "bad_page"


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"7", "not_an_object"),
        (b"null", "not_an_object"),
        (raw_result(2, labels=3), "bad_labels"),
        (raw_result(2).replace(b"Hi Bob", b"\xff\xfe"), "not_utf8"),
        (raw_result(2).replace(b"Hi Bob", b"\x00"), "not_strict_json"),
        (raw_result(2).replace(b"0.8", b"NaN"), "not_strict_json"),
        (raw_result(2).replace(b"{}", b"[" * 3000 + b"]" * 3000), "nested_too_deep"),
    ],
)
def test_i8_one_poisonous_result_leaves_the_others_whole(poison: bytes, reason: str) -> None:
    others = [raw_result(1), raw_result(3)]
    batch = decode_page(page_of(others[0], poison, others[1]), 3)
    assert [result.raw for result in batch.results] == [others[0], poison, others[1]]
    assert [result.reason if isinstance(result, Undecodable) else "" for result in batch.results] == ["", reason, ""]


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\uDFFF", b"\\ud83d\\ude00 \\ud83d", b"\\\\ud800 \\ud800"])
def test_lone_surrogates_lose_nothing_and_every_byte_stays(escape: bytes) -> None:
    raws = [
        raw_result(1),
        raw_result(2).replace(b"Hi Bob", escape),
        raw_result(3),
        raw_result(4).replace(b"uk", escape),
    ]
    batch = decode_page(page_of(*raws), 4)
    assert [result.raw for result in batch.results] == raws
    assert not any(isinstance(result, Undecodable) for result in batch.results)


def test_lone_surrogates_in_the_pages_own_keys_are_survived() -> None:
    raws = [raw_result(1), raw_result(2)]
    body = page_of(*raws).replace(b'"filtered"', b'"note":"\\ud800","filtered"')
    assert [result.raw for result in decode_page(body, 2).results] == raws


def test_results_that_stand_twice_are_not_hidden_by_the_last() -> None:
    """A reader that lets the last one win would drop the first result and advance past it."""
    body = page_of(raw_result(2)).replace(b"{", b'{"results":[' + raw_result(1) + b"],", 1)
    with pytest.raises(Retry, match="twice"):
        decode_page(body, 2)
    with pytest.raises(Retry, match="twice"):
        decode_page(page_of().replace(b"{", b'{"results":[' + raw_result(1) + b"],", 1), 2)


def test_two_positions_in_one_page_are_none() -> None:
    with pytest.raises(Retry, match="twice"):
        decode_page(page_of(raw_result()).replace(b"{", b'{"sequence_id":"other",', 1), 2)


def test_a_result_that_stands_elsewhere_in_the_page_too_is_cut_out_at_the_right_place() -> None:
    raw = raw_result(1)
    body = page_of(raw).replace(b"{", b'{"peek":' + raw + b',"more":[1,2],', 1)
    assert [result.raw for result in decode_page(body, 1).results] == [raw]


def test_equal_results_in_one_page_stay_two() -> None:
    assert sequence_ids(decode_page(page_of(raw_result(1), raw_result(1)), 2)) == ["seq-1", "seq-1"]


def test_i10_what_is_shown_of_a_batch_holds_no_text_of_a_comment() -> None:
    """A task that ends with a batch shows it in a traceback or a debug line."""
    shown = repr(decode_page(page_of(raw_result(1), raw_result(2, labels=3)), 2))
    assert "Bob" not in shown
    assert "uk" not in shown
    assert "seq-1" in shown
    assert "bad_labels" in shown


BLANKS = st.text(alphabet=" \n\t\r", max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["]", '"', "\\", ",", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5), BLANKS)
def test_splitting_by_brackets_gives_the_elements_of_any_array(values: list[object], blank: str) -> None:
    spelled = [json.dumps(value).encode() for value in values]
    space = blank.encode()
    text = space + b"[" + (space + b"," + space).join(spelled) + space + b"]" + space
    assert split_elements(text) == spelled


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_splitting_by_brackets_gives_the_members_of_any_object(value: dict[str, object]) -> None:
    spelled = json.dumps(value, indent=1).encode()
    assert {key: json.loads(part) for key, part in split_members(spelled)} == value


@given(st.lists(JSON, min_size=1, max_size=5).map(lambda value: json.dumps(value).encode()), st.data())
def test_splitting_never_takes_a_part_for_the_whole(text: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(NotBalanced):
        split_elements(text[:cut])


@pytest.mark.parametrize("text", [b"[[}]", b"[{]}]", b"[]]", b'["]', b'["\\"]', b"[", b"", b"{}", b"[1] [2]"])
def test_splitting_refuses_what_does_not_pair(text: bytes) -> None:
    with pytest.raises(NotBalanced):
        split_elements(text)


@given(st.lists(st.integers(0, 50), max_size=8), st.booleans())
def test_any_page_gives_back_its_results_byte_for_byte(numbers: list[int], odd: bool) -> None:
    raws = [raw_result(n).replace(b"Hi Bob", b"\\ud800\\u0041" if odd and n % 2 else b"\xc3\xbc") for n in numbers]
    assert [result.raw for result in decode_page(page_of(*raws), 8).results] == raws
