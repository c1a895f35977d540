"""Entities: values, and spans that cut out what they name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sandbox.entities import KINDS, find_entities

SAMPLES = {
    "monetary-quantity": "1M USD",
    "percentage": "12.5%",
    "date": "3 January 2020",
    "email": "alice@example.com",
    "url": "https://example.com/a",
    "phone": "+44 20 7946 0958",
}


def found(text: str) -> list[tuple[str, str]]:
    return [(entity["kind"], entity["formatted_value"]) for entity in find_entities([(0, "body", text)])]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1M USD", "monetary-quantity", "1,000,000.00 USD"),
        ("USD 1000000", "monetary-quantity", "1,000,000.00 USD"),
        ("1,000,000 usd", "monetary-quantity", "1,000,000.00 USD"),
        ("$1M", "monetary-quantity", "$1,000,000.00"),
        ("$1,000,000", "monetary-quantity", "$1,000,000.00"),
        ("£12.50", "monetary-quantity", "12.50 GBP"),
        ("250 €", "monetary-quantity", "250.00 EUR"),
        ("€ 3 million", "monetary-quantity", "3,000,000.00 EUR"),
        ("1.5k EUR", "monetary-quantity", "1,500.00 EUR"),
        ("12.5 %", "percentage", "12.5%"),
        ("3 per cent", "percentage", "3%"),
        ("2019-01-01", "date", "2019-01-01 00:00 UTC"),
        ("1st January 2019", "date", "2019-01-01 00:00 UTC"),
        ("Jan 1, 2019", "date", "2019-01-01 00:00 UTC"),
        ("12 March 2021", "date", "2021-03-12 00:00 UTC"),
        ("Bob.Smith+x@Mail.Example.com", "email", "bob.smith+x@mail.example.com"),
        ("https://example.com/a?b=1.", "url", "https://example.com/a?b=1"),
        ("+1 (555) 010-9999", "phone", "+15550109999"),
    ],
)
def test_values_are_formatted_alike(text: str, kind: str, value: str) -> None:
    assert found(f"Regarding {text} as agreed") == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    ["2019-02-30", "31 June 2020", "order 123456", "room 12", "a@b", "version 1.2.3", "http://", "", "USD", "100"],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert found(text) == []


def utf16_cut(text: str, span: dict[str, Any]) -> str:
    raw = text.encode("utf-16-le")
    return raw[span["utf16_byte_start"] : span["utf16_byte_end"]].decode("utf-16-le")


PADDING = st.text(alphabet=st.sampled_from("ab ,\n\U0001f600\u0301\u05d0\u0627é漢🇬🇧"), max_size=20)


@given(before=PADDING, kind=st.sampled_from(sorted(SAMPLES)), after=PADDING)
def test_cutting_a_text_by_either_span_gives_the_entitys_text(before: str, kind: str, after: str) -> None:
    text = f"{before} {SAMPLES[kind]} {after}"
    entities = find_entities([(0, "body", text)])
    (entity,) = [each for each in entities if each["kind"] == kind]
    span = entity["span"]
    assert text[span["char_start"] : span["char_end"]] == utf16_cut(text, span) == SAMPLES[kind]


@given(st.text(max_size=200))
def test_spans_are_ordered_in_bounds_and_do_not_overlap(text: str) -> None:
    entities = find_entities([(0, "subject", text), (1, "body", text)])
    ends: dict[int, int] = {}
    for entity in entities:
        span = entity["span"]
        assert entity["kind"] in KINDS
        assert ends.get(span["message_index"], 0) <= span["char_start"] < span["char_end"] <= len(text)
        assert span["utf16_byte_start"] < span["utf16_byte_end"] <= len(text.encode("utf-16-le", "surrogatepass"))
        ends[span["message_index"]] = span["char_end"]
