"""Email addresses and links by linkify-it, telephone numbers by libphonenumber's port."""

from collections.abc import Iterator

import phonenumbers
from linkify_it import LinkifyIt
from linkify_it.tlds import TLDS

from bridge.sandbox.entities.spans import Candidate

_OWN_DOMAINS = ["example", "test", "invalid", "local", "internal", "intranet", "corp", "lan", "home"]
"""Reserved and in-house top levels, which no registry lists but test mail and company mail use."""
_LINKS = LinkifyIt(options={"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False})
"""Names without a scheme are no links here: `report.py` and `node.js` stand in mail more often than bare hosts do."""
_LINKS_BARE = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": False, "fuzzy_ip": False})
_LINKS.tlds([*TLDS, *_OWN_DOMAINS])
_MAIL = "mailto:"


def find_contacts(text: str) -> Iterator[Candidate]:
    """Kinds email, url and phone."""
    yield from _links(text)
    if "+" in text:
        yield from _phones(text)


def _links(text: str) -> Iterator[Candidate]:
    for link in _LINKS.match(text) or ():
        if link.schema == _MAIL:
            skipped = len(_MAIL) if link.raw.lower().startswith(_MAIL) else 0
            yield Candidate("email", link.raw[skipped:].lower(), link.index + skipped, link.last_index)
        elif link.schema != "//":
            yield Candidate("url", link.raw, link.index, link.last_index)
    if "www." in text.lower():
        for link in _LINKS_BARE.match(text) or ():
            if link.raw.lower().startswith("www."):
                yield Candidate("url", link.raw, link.index, link.last_index)


def _phones(text: str) -> Iterator[Candidate]:
    """Only with a country code: without one, a number belongs to a country that nobody named."""
    for found in phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.POSSIBLE):
        value = phonenumbers.format_number(found.number, phonenumbers.PhoneNumberFormat.E164)
        yield Candidate("phone", value, found.start, found.end)
