"""A raw email as a comment (fact sheet sections 3.3 and 6): headers by Python's own parser, text by `mailtext`."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.parser import HeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import blake2b
from typing import Any

from bridge.sandbox.errors import ApiError
from bridge.sandbox.mailtext import html_to_text, split_mail
from bridge.sandbox.times import AFTER_LATEST, EARLIEST, print_time
from bridge.sandbox.wire import clean_text, encode

Headers = Mapping[str, Sequence[str]]
"""Values by header name in lower case, unfolded, not decoded yet."""
_FOLD = re.compile(r"\r?\n[ \t]*|\r")
_MESSAGE_IDS = re.compile(r"<[^<>\s]+>|[^<>\s,]+")
PREDICTED_PROPERTIES = ("string:Message ID", "string:Sender")
"""Those generated for a mail that is only predicted, as the documents' example has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as read: `at` is when it was sent, None where no header says so."""

    headers: Headers
    message_id: str
    sender: str
    recipients: Mapping[str, list[str]]
    at: datetime | None
    message: dict[str, Any]

    @property
    def thread(self) -> list[str]:
        """Message ids of the thread before this one, the first one first."""
        for name in ("references", "in-reply-to"):
            found = [each for value in self.headers.get(name, ()) for each in _MESSAGE_IDS.findall(value)]
            if found:
                return found
        return []


def read_mail(raw_email: Mapping[str, Any]) -> Mail:
    """From a raw email that fits its shape; no header or body is too broken for it."""
    headers = _headers(raw_email["headers"])
    body = raw_email["body"]
    plain = clean_text(body.get("plain", ""))
    text, signature = split_mail(plain if plain.strip() else html_to_text(body.get("html", "")))
    senders = _addresses(headers, "from") or _addresses(headers, "sender")
    recipients = {name: found for name in ("to", "cc", "bcc") if (found := _addresses(headers, name))}
    at = _sent_at(headers)
    subject = _decoded(headers, "subject")
    message: dict[str, Any] = {
        **({"from": senders[0]} if senders else {}),
        **recipients,
        **({"sent_at": print_time(at)} if at else {}),
        **({"subject": {"text": subject}} if subject else {}),
        "body": {"text": text},
        **({"signature": {"text": signature}} if signature else {}),
    }
    return Mail(
        headers=headers,
        message_id=_decoded(headers, "message-id") or _digest(headers, body),
        sender=senders[0] if senders else "",
        recipients=recipients,
        at=at,
        message=message,
    )


def comment_of(mail: Mail, document: Mapping[str, Any], overrides: Collection[str], *, today: bool) -> dict[str, Any]:
    """The comment as an upload; raises ApiError 422 for a mail without a time and for properties that clash."""
    if mail.at is None:
        raise ApiError(422, "the email has no Date or Received header with a time from 1950 to 2049")
    generated = _generated(mail)
    if today:
        generated["string:Has Signature"] = "Yes" if "signature" in mail.message else "No"
    return {
        "id": document.get("comment_id") or _hex(mail.message_id),
        "timestamp": print_time(mail.at),
        "thread_id": _hex(generated["string:Thread"]),
        "messages": [mail.message],
        "user_properties": merged(generated, document.get("user_properties", {}), overrides),
    }


def document_of(mail: Mail, document: Mapping[str, Any]) -> dict[str, Any]:
    """The comment of a mail that is not kept: without an id, and without a time where it has none."""
    generated = {name: value for name, value in _generated(mail).items() if name in PREDICTED_PROPERTIES}
    return {
        "messages": [mail.message],
        **({"timestamp": print_time(mail.at)} if mail.at else {}),
        "user_properties": merged(generated, document.get("user_properties", {}), ()),
    }


def merged(generated: dict[str, Any], given: Mapping[str, Any], overrides: Collection[str]) -> dict[str, Any]:
    """Both together; names are compared without their type, and ApiError 422 is raised for one that is in both."""
    names = {_plain(name) for name in given}
    clash = sorted(name for name in generated if _plain(name) in names and _plain(name) not in overrides)
    if clash:
        raise ApiError(422, f"user property {clash[0]!r} is generated from the email and was also given")
    return {**{name: value for name, value in generated.items() if _plain(name) not in names}, **given}


def _plain(name: str) -> str:
    return name.partition(":")[2]


def _generated(mail: Mail) -> dict[str, Any]:
    recipients = [address for group in mail.recipients.values() for address in group]
    thread = mail.thread
    properties: dict[str, Any] = {
        "string:Message ID": mail.message_id,
        "string:Thread": thread[0] if thread else mail.message_id,
        "number:Position in Thread": len(thread) + 1,
        "number:Recipients": len(recipients),
        "number:Participants": len({address.lower() for address in (mail.sender, *recipients) if address}),
    }
    if mail.sender:
        properties["string:Sender"] = mail.sender
        properties["string:Sender Domain"] = mail.sender.rpartition("@")[2].lower()
    return properties


def _hex(text: str) -> str:
    return text.encode().hex()


def _digest(headers: Headers, body: Mapping[str, Any]) -> str:
    """A message id for a mail without one: the same mail gives the same."""
    raw = encode([sorted(headers.items()), sorted(body.items())])
    return f"<{blake2b(raw, digest_size=16).hexdigest()}@generated>"


def _headers(given: Mapping[str, Any]) -> Headers:
    found: dict[str, list[str]] = {}
    for name, value in _pairs(given):
        unfolded = _FOLD.sub(" ", clean_text(value)).strip()
        if unfolded:
            found.setdefault(name.strip().lower(), []).append(unfolded)
    return found


def _pairs(given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if "raw" in given:
        text = clean_text(given["raw"])
        return [(name, str(value)) for name, value in HeaderParser().parsestr(text, headersonly=True).items()]
    return [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in given["parsed"].items()]


def _decoded(headers: Headers, name: str) -> str:
    """The first such header as text; one whose encoding cannot be read stays as it was sent."""
    value = next(iter(headers.get(name, ())), "")
    try:
        return clean_text(str(make_header(decode_header(value)))).strip()
    except (MessageError, LookupError, ValueError):
        return value


def _addresses(headers: Headers, name: str) -> list[str]:
    return [address for _, address in getaddresses(list(headers.get(name, ()))) if address]


def _sent_at(headers: Headers) -> datetime | None:
    """By the sender's clock, otherwise by that of the last server; a time without a zone is UTC."""
    stamps = [*headers.get("date", ()), *(value.rpartition(";")[2] for value in headers.get("received", ()))]
    for stamp in stamps:
        try:
            moment = parsedate_to_datetime(stamp)
            aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError, IndexError):
            continue
        if EARLIEST <= aware < AFTER_LATEST:
            return aware
    return None
