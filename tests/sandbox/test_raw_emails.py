"""Raw emails as comments: text and signature, generated properties, threads, refusals; CPython's own corpus of mail."""

import importlib.util
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox.mailtext import html_to_text, split_mail
from bridge.sandbox.rawmail import document_of, read_mail
from tests.sandbox.driver import DATASET, SOURCE, Driver, mail_labels, mails

TAG = "name.0.ABCD1234"
PATH = f"{SOURCE}/sync-raw-emails"
HEADERS = {
    "Date": "Thu, 09 Jan 2020 16:34:45 +0000",
    "From": "alice@company.com",
    "Message-ID": "abcdef@company.com",
    "Subject": "Figures Request",
    "To": "bob@organisation.org",
}
TEXT = "Hi Bob,\n\nWhere are the figures of today?\n\nThanks,\nAlice"


def mail(body: dict[str, str] | None = None, headers: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    parsed = {"parsed": {**HEADERS, **(headers or {})}}
    return {"raw_email": {"body": body or {"plain": TEXT}, "headers": parsed}, **more}


def raw(headers: str, body: str = TEXT) -> dict[str, Any]:
    return {"raw_email": {"body": {"plain": body}, "headers": {"raw": headers}}}


async def sync(driver: Driver, *documents: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"documents": list(documents), "transform_tag": TAG, "include_comments": True, **more}
    return await driver.ok("POST", PATH, body)


async def refused(driver: Driver, status: int, *documents: dict[str, Any], **more: Any) -> str:
    return await driver.refused(status, "POST", PATH, {"documents": list(documents), "transform_tag": TAG, **more})


async def one(driver: Driver, document: dict[str, Any]) -> dict[str, Any]:
    comment: dict[str, Any] = (await sync(driver, document))["comments"][0]
    return comment


async def test_an_email_becomes_the_comment_of_the_documents(y2020: Driver) -> None:
    await y2020.prepare()
    given = {"number:Deal Value": 12000, "string:City": "London"}
    answer = await sync(y2020, mail(user_properties=given))
    assert (answer["new"], answer["updated"], answer["unchanged"]) == (1, 0, 0)
    (comment,) = answer["comments"]
    assert comment["id"] == "61626364656640636f6d70616e792e636f6d"
    assert comment["uid"] == f"{y2020.source_id}.{comment['id']}"
    assert comment["timestamp"] == "2020-01-09T16:34:45.000000Z"
    assert comment["messages"] == [
        {
            "from": "alice@company.com",
            "to": ["bob@organisation.org"],
            "sent_at": "2020-01-09T16:34:45.000000Z",
            "subject": {"text": "Figures Request"},
            "body": {"text": "Hi Bob,\n\nWhere are the figures of today?"},
            "signature": {"text": "Thanks,\nAlice"},
        }
    ]
    assert comment["user_properties"] == {
        "number:Deal Value": 12000,
        "number:Participants": 2,
        "number:Position in Thread": 1,
        "number:Recipients": 1,
        "string:City": "London",
        "string:Message ID": "abcdef@company.com",
        "string:Sender": "alice@company.com",
        "string:Sender Domain": "company.com",
        "string:Thread": "abcdef@company.com",
    }


async def test_the_comment_is_stored_as_shown_and_the_same_email_changes_nothing(each: Driver) -> None:
    await each.prepare()
    comment = await one(each, mail())
    stored = await each.ok("GET", f"{SOURCE}/comments/{comment['id']}")
    assert stored["comment"] == comment
    again = await sync(each, mail(), include_comments=False)
    assert (again["new"], again["unchanged"], "comments" in again) == (0, 1, False)


async def test_html_becomes_lines_and_raw_headers_are_read(each: Driver) -> None:
    await each.prepare()
    headers = (
        "Message-ID: 012345@company.com\nDate: Thu, 09 Jan 2020 16:44:45 +0100\n"
        "Subject: =?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_aus_K=C3=B6ln?=\n"
        'From: "Bob B." <Bob@Organisation.org>\nTo: alice@company.com,\n\tCarol <carol@company.com>\n'
        "Cc: dave@company.com"
    )
    html = "<style>p{color:red}</style><p>Alice,</p><p>Here they are.</p><p>Regards,<br/>Bob</p>"
    comment = await one(each, {"raw_email": {"body": {"html": html}, "headers": {"raw": headers}}})
    (message,) = comment["messages"]
    assert message["body"]["text"] == "Alice,\n\nHere they are."
    assert message["signature"]["text"] == "Regards,\nBob"
    assert message["subject"]["text"] == "Re: Grüße aus Köln"
    assert message["from"] == "Bob@Organisation.org"
    assert (message["to"], message["cc"]) == (["alice@company.com", "carol@company.com"], ["dave@company.com"])
    assert comment["timestamp"] == "2020-01-09T15:44:45.000000Z"
    assert comment["user_properties"]["string:Sender Domain"] == "organisation.org"
    assert comment["user_properties"]["number:Participants"] == 4


async def test_header_lists_are_joined_by_commas(each: Driver) -> None:
    await each.prepare()
    comment = await one(each, mail(headers={"To": ["a@x.org", "B <b@x.org>"]}))
    assert comment["messages"][0]["to"] == ["a@x.org", "b@x.org"]


async def test_plain_text_wins_over_html_unless_it_is_blank(each: Driver) -> None:
    await each.prepare()
    comment = await one(each, mail({"plain": "plain", "html": "<p>rich</p>"}))
    assert comment["messages"][0]["body"]["text"] == "plain"
    comment = await one(each, mail({"plain": " \n", "html": "<p>rich</p>"}))
    assert comment["messages"][0]["body"]["text"] == "rich"


async def test_what_was_quoted_is_left_off_unless_there_is_nothing_else(each: Driver) -> None:
    await each.prepare()
    quoted = "On Thu, 9 Jan 2020 at 16:34, Alice <alice@company.com> wrote:\n> Hi Bob,\n> figures?"
    comment = await one(each, mail({"plain": f"Here they are.\n\n{quoted}"}))
    assert comment["messages"][0]["body"]["text"] == "Here they are."
    comment = await one(each, mail({"plain": quoted}))
    assert "figures?" in comment["messages"][0]["body"]["text"]


async def test_replies_share_the_thread_of_the_first_mail(each: Driver) -> None:
    await each.prepare()
    first = await one(each, mail(headers={"Message-ID": "<1@x.org>"}))
    second = await one(each, mail(headers={"Message-ID": "<2@x.org>", "In-Reply-To": "<1@x.org>"}))
    third = await one(each, mail(headers={"Message-ID": "<3@x.org>", "References": "<1@x.org>\n <2@x.org>"}))
    assert {comment["thread_id"] for comment in (first, second, third)} == {b"<1@x.org>".hex()}
    assert [comment["user_properties"]["number:Position in Thread"] for comment in (first, second, third)] == [1, 2, 3]
    assert third["user_properties"]["string:Thread"] == "<1@x.org>"


async def test_today_says_whether_there_is_a_signature(today: Driver) -> None:
    await today.prepare()
    assert (await one(today, mail()))["user_properties"]["string:Has Signature"] == "Yes"
    assert (await one(today, mail({"plain": "No more"})))["user_properties"]["string:Has Signature"] == "No"


async def test_a_clash_with_a_generated_property_is_refused_unless_overridden(each: Driver) -> None:
    await each.prepare()
    document = mail(user_properties={"string:Sender": "someone", "string:City": "London"})
    message = await refused(each, 422, document)
    assert message.startswith("document 0:")
    assert "string:Sender" in message
    await refused(each, 422, document, override_user_properties=["string:Sender", "City"])
    answer = await sync(each, document, override_user_properties=["Sender"])
    properties = answer["comments"][0]["user_properties"]
    assert (properties["string:Sender"], properties["string:Sender Domain"]) == ("someone", "company.com")


async def test_an_override_may_change_the_type(each: Driver) -> None:
    await each.prepare()
    document = mail(user_properties={"number:Thread": 7})
    await refused(each, 422, document)
    properties = (await sync(each, document, override_user_properties=["Thread"]))["comments"][0]["user_properties"]
    assert properties["number:Thread"] == 7
    assert "string:Thread" not in properties


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 09 Jan 1949 16:34:45 +0000", "Thu, 32 Jan 2020 16:34:45"])
async def test_an_email_without_a_usable_time_is_refused_and_none_is_stored(each: Driver, date: str) -> None:
    await each.prepare()
    message = await refused(each, 422, mail(), mail(headers={"Date": date, "Message-ID": "other"}))
    assert message.startswith("document 1: the email has no Date")
    assert (await sync(each, mail()))["new"] == 1


async def test_the_last_servers_time_stands_in_for_a_missing_date(each: Driver) -> None:
    await each.prepare()
    received = "from a.org by b.org; Fri, 10 Jan 2020 09:00:00 +0000"
    comment = await one(each, mail(headers={"Date": "", "Received": received}))
    assert comment["timestamp"] == "2020-01-10T09:00:00.000000Z"


async def test_a_mail_without_a_message_id_gets_one_of_its_own_for_ever(each: Driver) -> None:
    await each.prepare()
    first = await one(each, mail(headers={"Message-ID": ""}))
    assert (await sync(each, mail(headers={"Message-ID": ""})))["unchanged"] == 1
    other = await one(each, mail({"plain": "Else"}, headers={"Message-ID": ""}))
    assert first["id"] != other["id"]


async def test_today_a_comment_id_may_be_given(today: Driver) -> None:
    await today.prepare()
    assert (await one(today, mail(comment_id="chosen")))["id"] == "chosen"


async def test_in_2020_it_may_not(y2020: Driver) -> None:
    await y2020.prepare()
    assert "comment_id" in await refused(y2020, 400, mail(comment_id="chosen"))


async def test_the_tag_is_required_in_2020_and_must_have_its_form(each: Driver) -> None:
    await each.prepare()
    body = {"documents": [mail()]}
    if each.box.today:
        await each.ok("POST", PATH, body)
    else:
        await each.refused(400, "POST", PATH, body)
    await each.refused(422, "POST", PATH, {**body, "transform_tag": "no-tag"})


@pytest.mark.parametrize(
    "email",
    [
        {"headers": {}, "body": {"plain": ""}},
        {"headers": {"raw": "", "parsed": {}}, "body": {"plain": ""}},
        {"headers": {"raw": ""}, "body": {}},
        {"headers": {"parsed": {"To": 1}}, "body": {"plain": ""}},
        {"headers": {"parsed": {}}, "body": {"text": ""}},
        {"headers": {"raw": "x" * 65537}, "body": {"plain": ""}},
        {"headers": {"raw": ""}, "body": {"plain": "x" * 65537}},
    ],
)
async def test_a_raw_email_of_another_form_is_refused(each: Driver, email: dict[str, Any]) -> None:
    await each.prepare()
    await refused(each, 400, {"raw_email": email})


async def test_a_mail_at_the_limits_is_taken_and_longer_html_is_cut(each: Driver) -> None:
    await each.prepare()
    comment = await one(each, mail({"plain": "word " * 13107 + "e"}))
    assert len(comment["messages"][0]["body"]["text"]) == 65536
    comment = await one(each, mail({"html": "<p>" + "word " * 14000}))
    assert len(comment["messages"][0]["body"]["text"]) == 65536


async def test_what_a_comment_cannot_hold_is_refused_by_its_number(each: Driver) -> None:
    await each.prepare()
    message = await refused(each, 422, mail(headers={"To": f"{'x' * 600}@x.org"}))
    assert message.startswith("document 0:")
    assert "too long" in message


async def test_raw_emails_are_predicted_without_being_kept(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(24))
    await each.annotate(mail_labels(24))
    version = await each.train_and_pin()
    documents = [
        mail({"plain": "The trade has not settled\n\nRegards,\nBob"}, user_properties={"string:City": "Luton"}),
        mail({"html": "<p>Please refund the fee, this charge is wrong"}, headers={"Date": "", "Message-ID": "7@x"}),
    ]
    path = f"{DATASET}/labellers/{version}/predict-raw-emails"
    body = {"documents": documents, "transform_tag": TAG, "threshold": 0.5, "include_comments": True}
    answer = await each.ok("POST", path, body)
    assert [[label["name"] for label in found] for found in answer["predictions"]] == [
        [["Trade"], ["Trade", "Settlement"]],
        [["Fee"], ["Fee", "Refund"]],
    ]
    first, second = answer["comments"]
    assert first["user_properties"] == {
        "string:City": "Luton",
        "string:Message ID": "abcdef@company.com",
        "string:Sender": "alice@company.com",
    }
    assert ("timestamp" in first, "timestamp" in second) == (True, False)
    assert (await each.ok("POST", f"{SOURCE}/sync", {"comments": []}))["new"] == 0
    await each.refused(404, "GET", f"{SOURCE}/comments/{b'7@x'.hex()}")
    assert "comments" not in await each.ok("POST", path, {"documents": documents, "transform_tag": TAG})
    clash = [mail(user_properties={"string:Sender": "x"})]
    await each.refused(422, "POST", path, {"documents": clash, "transform_tag": TAG})


def corpus() -> list[Path]:
    """The messages of the standard library's own tests; empty where they are not installed."""
    found = importlib.util.find_spec("test.test_email") if importlib.util.find_spec("test") else None
    places = found.submodule_search_locations if found else None
    return sorted(Path(places[0], "data").glob("msg_*.txt")) if places else []


def corpus_mail(path: Path) -> dict[str, Any]:
    """Headers to the first blank line; the rest as HTML where it says so."""
    text = path.read_bytes().decode("latin-1").replace("\r\n", "\n")
    headers, _, body = text.partition("\n\n")
    kind = "html" if re.search("^content-type: text/html", headers, re.IGNORECASE | re.MULTILINE) else "plain"
    return {"raw_email": {"headers": {"raw": headers}, "body": {kind: body}}}


async def test_every_message_of_cpythons_own_tests_is_taken_or_refused_with_a_reason(today: Driver) -> None:
    messages = corpus()
    if not messages:
        pytest.skip("this Python came without its own tests (test.test_email), so there is no corpus to try")
    await today.prepare()
    taken = 0
    for path in messages:
        response = await today.send("POST", PATH, {"documents": [corpus_mail(path)], "include_comments": True})
        answer = response.json()
        if response.status_code == 200:
            taken += 1
            assert answer["comments"][0]["messages"]
        else:
            assert (response.status_code, answer["status"]) == (422, "error"), path.name
            assert re.match(r"document 0: \w", answer["message"])
    assert taken >= len(messages) // 2


@pytest.mark.parametrize("depth", [10, 250, 300, 1000, 2000])
def test_no_text_is_lost_in_deeply_nested_html(depth: int) -> None:
    html = "<style>p{}</style>" + "".join(f"<div><!-- no -->t{level}" for level in range(depth))
    assert html_to_text(html).split() == [f"t{level}" for level in range(depth)]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        (" ", ""),
        ("<", "<"),
        ("<!-- only -->", ""),
        ("<?xml version='1.0' encoding='utf-16'?><p>ä</p>", "ä"),
        ("<html><head><title>no</title></head><body>a<br>b", "a\nb"),
        ("<ul><li>x<li>y</ul>", "  * x\n  * y"),
        ("\ud800<p>x", "\ufffd\n\nx"),
    ],
)
def test_odd_html_is_read_too(html: str, text: str) -> None:
    assert html_to_text(html) == text


MAIL_WORDS = st.sampled_from(
    ["On ", "wrote:", "From: ", "To: x\n", "\n", "> ", "-- \n", "Best regards", "____", "Disclaimer", "mail ", " ", "a"]
)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(MAIL_WORDS, max_size=60).map("".join)), st.text(max_size=200))
def test_any_headers_and_any_text_are_read(body: str, headers: str) -> None:
    for form in ({"raw": headers}, {"parsed": {"Date": headers, "To": [headers], "References": headers}}):
        document = {"raw_email": {"headers": form, "body": {"plain": body, "html": body}}}
        assert document_of(read_mail(document["raw_email"]), document)["messages"]


@pytest.mark.parametrize("unit", ["\n", "On ", "\n ", "> ", "From: ", "On x\n", "disclaimer: mail "])
def test_no_text_holds_the_reader_up(unit: str) -> None:
    began = time.process_time()
    split_mail(unit * (65536 // len(unit)))
    assert time.process_time() - began < 5


HTML_TAGS = "<p>|</p>|<table>|<td>|<tr>|<br|>|<!--|-->|<pre>|<![CDATA[|<ul>|<li>|<a href='|'|<?xml |?>|<style>|<script>"
HTML_WORDS = st.sampled_from([*re.split(r"\|", HTML_TAGS), "&amp;", "&#0;", "&#xd800;", *"\x00\x0b\ud800äx "])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=100), st.lists(HTML_WORDS, max_size=40).map("".join)))
def test_any_html_is_read(html: str) -> None:
    document = {"raw_email": {"headers": {"raw": ""}, "body": {"html": html}}}
    (message,) = document_of(read_mail(document["raw_email"]), document)["messages"]
    message["body"]["text"].encode()
