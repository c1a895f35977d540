"""Comments between the wire and the store: normalising an upload, composing the stored document, its text."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from bridge.sandbox.errors import bad_request
from bridge.sandbox.store.comments import Draft
from bridge.sandbox.times import normal_time, print_ms
from bridge.sandbox.wire import clean_text, decode_mail, encode

CONTENT_PARTS = ("body", "subject", "signature")


def make_draft(upload: dict[str, Any]) -> Draft:
    """From an upload that fits its shape; raises ApiError 400 for what a shape cannot say."""
    messages = normal_messages(upload["messages"])
    fields: dict[str, Any] = {
        "timestamp": normal_time(upload["timestamp"]),
        **{name: upload[name] for name in ("thread_id", "text_format") if name in upload},
        "messages": messages,
        "user_properties": upload.get("user_properties", {}),
    }
    attachments = encode(upload["attachments"]) if upload.get("attachments") else None
    return Draft(
        id=upload["id"],
        fields=fields,
        attachments=attachments,
        text_digest=_digest(encode(messages)),
        content_digest=_digest(encode(fields) + (attachments or b"")),
    )


def normal_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Times in the printed form; raises ApiError 400 for a translation without its language."""
    return [_normal_message(message) for message in messages]


def _normal_message(message: dict[str, Any]) -> dict[str, Any]:
    if "language" not in message:
        for part in CONTENT_PARTS:
            if "translated_from" in message.get(part, {}):
                raise bad_request("'translated_from' was given without 'language'")
    if "sent_at" in message:
        return {**message, "sent_at": normal_time(message["sent_at"])}
    return message


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def uid_of(source_id: str, comment_id: str) -> str:
    return f"{source_id}.{comment_id}"


def compose(source_id: str, draft: Draft, created_ms: int, modified_ms: int) -> bytes:
    """The comment as every profile delivers it; what only today's profile has is spliced on later."""
    return encode(
        {
            "uid": uid_of(source_id, draft.id),
            "id": draft.id,
            "source_id": source_id,
            **draft.fields,
            "created_at": print_ms(created_ms),
            "last_modified": print_ms(modified_ms),
        }
    )


def present(doc: bytes, attachments: bytes | None, annotated: int, *, today: bool) -> bytes:
    """The stored document as one profile shows it."""
    if not today:
        return doc
    flag = b"true" if annotated else b"false"
    return b"".join((doc[:-1], b',"attachments":', attachments or b"[]", b',"has_annotations":', flag, b"}"))


def parts_of(doc: bytes) -> Iterator[tuple[int, str, str]]:
    """Message index, content part and text of each text in a stored document, lone surrogates replaced."""
    for index, message in enumerate(decode_mail(doc)["messages"]):
        for part in CONTENT_PARTS:
            if part in message:
                yield index, part, clean_text(message[part]["text"])


def learning_text(doc: bytes) -> str:
    """What a model reads of a comment: subjects and bodies, without signatures."""
    return "\n".join(text for _, part, text in parts_of(doc) if part != "signature")
