"""Entities: values, and spans that cut out what they name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sandbox.entities import KINDS, find_entities
from tests.sandbox.driver import Driver, comment, mail_labels, mails

SAMPLES = {
    "monetary-quantity": "1M USD",
    "percentage": "12.5%",
    "date": "3 January 2020",
    "email": "alice@example.com",
    "url": "https://example.com/a",
    "phone": "+44 20 7946 0958",
    "quantity": "25 kg",
    "number": "4711",
    "organisation": "Acme Trading Ltd",
    "person": "Alice Smith",
}


def found(text: str) -> list[tuple[str, str]]:
    return [(entity["kind"], entity["formatted_value"]) for entity in find_entities([(0, "body", text)])]


def test_there_is_a_sample_of_every_kind() -> None:
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1M USD", "monetary-quantity", "1,000,000.00 USD"),
        ("USD 1000000", "monetary-quantity", "1,000,000.00 USD"),
        ("1,000,000 usd", "monetary-quantity", "1,000,000.00 USD"),
        ("$1M", "monetary-quantity", "$1,000,000.00"),
        ("$1,000,000", "monetary-quantity", "$1,000,000.00"),
        ("$1M USD", "monetary-quantity", "1,000,000.00 USD"),
        ("USD $5", "monetary-quantity", "5.00 USD"),
        ("US$5", "monetary-quantity", "5.00 USD"),
        ("HK$ 2.5m", "monetary-quantity", "2,500,000.00 HKD"),
        ("¥300", "monetary-quantity", "¥300.00"),
        ("£12.50", "monetary-quantity", "12.50 GBP"),
        ("250 €", "monetary-quantity", "250.00 EUR"),
        ("€ 3 million", "monetary-quantity", "3,000,000.00 EUR"),
        ("3 bn JPY", "monetary-quantity", "3,000,000,000.00 JPY"),
        ("1.5k EUR", "monetary-quantity", "1,500.00 EUR"),
        ("1.000.000,50 EUR", "monetary-quantity", "1,000,000.50 EUR"),
        ("5 euros", "monetary-quantity", "5.00 EUR"),
        ("20 Swiss francs", "monetary-quantity", "20.00 CHF"),
        ("500 TRY", "monetary-quantity", "500.00 TRY"),
        ("12.5 %", "percentage", "12.5%"),
        ("3 per cent", "percentage", "3%"),
        ("7 percent", "percentage", "7%"),
        ("2019-01-01", "date", "2019-01-01 00:00 UTC"),
        ("1st January 2019", "date", "2019-01-01 00:00 UTC"),
        ("the 4th of July 2020".removeprefix("the "), "date", "2020-07-04 00:00 UTC"),
        ("Jan 1, 2019", "date", "2019-01-01 00:00 UTC"),
        ("12 March 2021", "date", "2021-03-12 00:00 UTC"),
        ("5 Sept. 2021", "date", "2021-09-05 00:00 UTC"),
        ("12 March 2021 at 10:30", "date", "2021-03-12 10:30 UTC"),
        ("2021-03-14T10:00:00+02:00", "date", "2021-03-14 08:00 UTC"),
        ("13/02/2020", "date", "2020-02-13 00:00 UTC"),
        ("02/02/2020", "date", "2020-02-02 00:00 UTC"),
        ("Bob.Smith+x@Mail.Example.com", "email", "bob.smith+x@mail.example.com"),
        ("https://example.com/a?b=1.", "url", "https://example.com/a?b=1"),
        ("www.example.com", "url", "www.example.com"),
        ("+1 (555) 010-9999", "phone", "+15550109999"),
        ("10 kg", "quantity", "10 kilograms"),
        ("5 metres", "quantity", "5 meters"),
        ("a 10-day".removeprefix("a "), "quantity", "10 days"),
        ("1,250.5 kWh", "quantity", "1,250.5 kilowatt-hours"),
        ("order 123456", "number", "123456"),
        ("3 million", "number", "3000000"),
        ("Jones & Sons LLC", "organisation", "Jones & Sons LLC"),
        ("Deutsche Boerse AG", "organisation", "Deutsche Boerse AG"),
        ("Müller GmbH & Co. KG", "organisation", "Müller GmbH & Co. KG"),
        ("Jones & Co. Ltd", "organisation", "Jones & Co. Ltd"),
        ("Dr. Müller", "person", "Müller"),
        ("Mr John O'Neill", "person", "John O'Neill"),
        ("Alice", "person", "Alice"),
    ],
)
def test_values_are_formatted_alike(text: str, kind: str, value: str) -> None:
    assert found(f"regarding {text} as agreed") == [(kind, value)]


@pytest.mark.parametrize(("text", "name"), [("Hi Bob,", "Bob"), ("Dear May,\n", "May"), ("Thanks, Siobhan", "Siobhan")])
def test_whoever_is_greeted_is_a_person(text: str, name: str) -> None:
    assert found(text) == [("person", name)]


@pytest.mark.parametrize(
    "text",
    [
        "2019-02-30",
        "2020-13-01",
        "version 1.2.3",
        "a@b",
        "http://",
        "",
        "USD",
        "Dear Team",
        "Dear Sirs",
        "May Contract",
        "the UK VAT",
        "A Company",
        "see report.py at 10:30",
        "part AB12-34",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("text", ["01/02/2020", "31 June 2020", "TRY 500", "2 all", "room 12", "call 020 7946 0958"])
def test_what_could_be_two_things_is_at_most_a_number(text: str) -> None:
    assert {kind for kind, _ in found(text)} <= {"number"}


def utf16_cut(text: str, span: dict[str, Any]) -> str:
    raw = text.encode("utf-16-le", "surrogatepass")
    return raw[span["utf16_byte_start"] : span["utf16_byte_end"]].decode("utf-16-le", "surrogatepass")


PADDING = st.text(alphabet=st.sampled_from("ab ,\n\U0001f600\u0301\u05d0\u0627é漢🇬🇧\u200f\u202e"), max_size=20)


@given(before=PADDING, kind=st.sampled_from(sorted(SAMPLES)), after=PADDING)
def test_cutting_a_text_by_either_span_gives_the_entitys_text(before: str, kind: str, after: str) -> None:
    text = f"{before}; {SAMPLES[kind]} ; {after}"
    entities = find_entities([(0, "body", text)])
    (entity,) = [each for each in entities if each["kind"] == kind]
    span = entity["span"]
    assert text[span["char_start"] : span["char_end"]] == utf16_cut(text, span) == SAMPLES[kind]


MIXED = st.lists(st.one_of(PADDING, st.sampled_from(sorted(SAMPLES.values())), st.text(max_size=8)), max_size=12)


@given(MIXED)
def test_in_any_text_both_spans_cut_the_same_and_no_two_overlap(pieces: list[str]) -> None:
    text = "".join(pieces)
    entities = find_entities([(0, "subject", text), (1, "body", text)])
    ends: dict[int, int] = {}
    for entity in entities:
        span = entity["span"]
        assert entity["kind"] in KINDS
        assert entity["spans"] == [span]
        assert ends.get(span["message_index"], 0) <= span["char_start"] < span["char_end"] <= len(text)
        cut = text[span["char_start"] : span["char_end"]]
        assert cut == utf16_cut(text, span)
        assert cut == cut.strip()
        ends[span["message_index"]] = span["char_end"]


def test_a_letter_with_its_accent_beside_it_is_not_cut_in_two() -> None:
    assert found("Hi Bob\u0301") == []


@pytest.mark.parametrize(
    "text", ["Bob " * 16000, "1" * 65536, "USD " * 16000, "a@" * 30000, "Acme & " * 9000, "1,000" * 13000]
)
def test_a_text_at_the_limit_takes_no_time_out_of_proportion(text: str) -> None:
    """The test's own time-out judges: a pattern that backtracks over this would take hours."""
    assert isinstance(find_entities([(0, "body", text[:65536])]), list)


async def test_a_dataset_delivers_the_kinds_it_has_switched_on(today: Driver) -> None:
    await today.prepare(entity_kinds=["person", "quantity"])
    await today.upload([*mails(20), comment("ff", "Hi Bob, 10 kg for 5 EUR")])
    await today.annotate(mail_labels(20))
    await today.create_trigger(model={"version": await today.train_and_pin()})
    page = await today.fetch()
    (result,) = [result for result in page["results"] if result["comment"]["id"] == "ff"]
    assert [each["formatted_value"] for each in result["entities"]] == ["Bob", "10 kilograms"]
    assert json.dumps(result["entities"]).count("utf16_byte_start") == 4
