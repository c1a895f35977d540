"""Entities found in texts; which library finds which kind is said in the modules here."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

from bridge.sandbox.entities.amounts import find_amounts
from bridge.sandbox.entities.contacts import find_contacts
from bridge.sandbox.entities.dates import find_dates
from bridge.sandbox.entities.names import find_names
from bridge.sandbox.entities.spans import Candidate, Ruler, without_overlaps

KINDS: Final = (
    "email",
    "url",
    "phone",
    "date",
    "monetary-quantity",
    "percentage",
    "quantity",
    "number",
    "organisation",
    "person",
)


def find_entities(texts: Sequence[tuple[int, str, str]]) -> list[dict[str, Any]]:
    """Entities of a comment in reading order, from (message index, content part, text); no two of one text overlap."""
    found: list[tuple[tuple[int, str, int], dict[str, Any]]] = []
    for message_index, part, text in texts:
        ruler = Ruler(text)
        for candidate in without_overlaps(text, _candidates(text)):
            span = ruler.span(candidate, part, message_index)
            found.append(((message_index, part, candidate.start), _entity(candidate, span)))
    return [entity for _, entity in sorted(found, key=lambda each: each[0])]


def _candidates(text: str) -> Iterator[Candidate]:
    """The surest first: an address is one even where a name or a number stands in it."""
    yield from find_contacts(text)
    yield from find_dates(text)
    yield from find_names(text)
    yield from find_amounts(text)


def _entity(candidate: Candidate, span: dict[str, Any]) -> dict[str, Any]:
    place = f"{span['message_index']} {span['content_part']} {candidate.start} {candidate.kind}"
    return {
        "id": blake2b(place.encode(), digest_size=8).hexdigest(),
        "name": candidate.kind,
        "kind": candidate.kind,
        "formatted_value": candidate.value,
        "span": span,
        "spans": [span],
        "probability": None,
        "capture_ids": [],
    }
