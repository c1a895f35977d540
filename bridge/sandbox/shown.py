"""A stored comment as one client may see it: in the profile's form, sensitive properties only with the permission."""

from collections.abc import Mapping, Sequence

import msgspec

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import present
from bridge.sandbox.endpoint import Call
from bridge.sandbox.store.comments import Row
from bridge.sandbox.wire import decode_mail, encode

Hidden = Mapping[int, frozenset[str]]
"""Names of properties to leave out, by the key of the source; sources without any are not in it."""


def hidden_from(call: Call) -> Hidden:
    """What the call's token may not see."""
    authorization = call.request.headers.get("authorization")
    if Permission.VIEW_SENSITIVE in call.box.tokens.held(authorization):
        return {}
    return _sensitive(call.box)


def _sensitive(box: Sandbox) -> Hidden:
    rows = box.db.execute(
        "SELECT key, json_extract(CAST(doc AS TEXT), '$.sensitive_properties') FROM sources"
        " WHERE json_array_length(CAST(doc AS TEXT), '$.sensitive_properties') > 0"
    )
    return {key: frozenset(msgspec.json.decode(names)) for key, names in rows}


def shown_doc(row: Row, hidden: Hidden, *, today: bool) -> bytes:
    names = hidden.get(row.source)
    doc = row.doc if not names else _without(row.doc, names)
    return present(doc, row.attachments, row.annotated, today=today)


def _without(doc: bytes, names: frozenset[str]) -> bytes:
    """Names are taken with or without their type: the documents do not say which they mean."""
    comment = decode_mail(doc)
    properties = comment["user_properties"]
    kept = {name: value for name, value in properties.items() if not {name, name.partition(":")[2]} & names}
    return encode({**comment, "user_properties": kept})


def shown_comment(call: Call, row: Row) -> msgspec.Raw:
    return msgspec.Raw(shown_doc(row, hidden_from(call), today=call.box.today))


def shown_comments(call: Call, rows: Sequence[Row]) -> list[msgspec.Raw]:
    hidden = hidden_from(call)
    return [msgspec.Raw(shown_doc(row, hidden, today=call.box.today)) for row in rows]
