"""People and organisations by the company they keep: titles, greetings, listed first names, legal forms.

No trained recogniser: those that exist bring a model of tens of megabytes from a hub, or several seconds of CPU a page.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Final

from cleanco.termdata import terms_by_type

from bridge.sandbox.entities.spans import Candidate, trimmed

LOCALES: Final = ("en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL")
"""Whose first names are known, from Faker's lists."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALSO_WORDS: Final = _words("""
Will May April June August Mark Bill Grant Hope Grace Faith Joy Art Rich Chase Case Price Job Lot Don Gun Guy
Rob Sue Pat Frank Drew Cash Chance Christian Dean Page Paris London Summer Dawn Eve Earnest Miles Penny Pearl
Ruby Rose Mar Max Ray Rocky Royal Star Sunny Sky Trinity Van Wade Ward Destiny Harmony Melody Patience Charity
China Asia Austin Jordan Georgia Virginia Florence Victoria Madison Lincoln Jackson Houston Dallas Dominique
Major Prince Eta Che Del Dom Li Bo Lo Jet Else Angel Precious True Nina Santa Sole Gold Goldie Lane Stone Jan
Jun Mon
""")
"""First names that English and the calendar use for other things: they need a greeting or a title beside them."""
NO_NAMES: Final = _words("""
All Team Sir Sirs Madam There Everyone Everybody Colleagues Colleague Customer Customers Client Support Both
Folks Friends Friend Again You Your The This That For Re Fw Fwd Please Thanks Thank Regards Best Kind Many Hello
Hi Dear Ladies Gentlemen Valued Service Desk Operations Sales Account Accounts Billing Investors Partners
Members Mr Mrs Ms Miss Dr Prof Sincerely Yours And Or Of In On At To From Subject Sent Date We I It He She They
Our My Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March September October
November December
""")
"""What stands in the place of a name after a greeting, or ends one."""
NO_FORMS: Final = _words("""
private et da as ad ae pp pt ee dat vat ay fie ans an ab sd hb mb sal esv gie qk oe og kb kt ks kd teo ij lp gte
tov et. ae. sae cpt 3at aat zat ses fop xt xk obrt tapui nuf ky nl & co company
""")
"""Legal forms of the list that are words or other abbreviations first; a lone `Company` names none."""


@cache
def first_names() -> frozenset[str]:
    """Without those that are words as well."""
    # loading the lists takes longer than the start of the rest of the server, and many never ask for people
    found: set[str] = set()
    for provider in (import_module(f"faker.providers.person.{locale}").Provider for locale in LOCALES):
        for attribute in ("first_names", "first_names_male", "first_names_female"):
            found.update(getattr(provider, attribute, ()))
    return frozenset(name for name in found if name.isalpha() and name not in ALSO_WORDS)


def _legal_forms() -> str:
    """As one alternative of a pattern, longest first; in text a form starts with a capital or is all capitals."""
    forms = {form.strip() for listed in terms_by_type.values() for form in listed} - NO_FORMS
    written = {spelling for form in forms for spelling in (form.title(), form.upper(), form.capitalize())}
    written |= {"GmbH", "GmbH & Co. KG", "& Co.", "& Co", "Pty Ltd", "S.p.A.", "SpA", "S.A.", "B.V.", "Co."}
    return _alternatives(form for form in written if len(form) > 1)


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'’-]*"
_NAME = rf"{_CAPITAL}(?:[ \t]{_CAPITAL}){{0,3}}"
TITLED: Final = re.compile(rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Dame|Herr|Frau|Mme)\b\.?[ \t](?P<name>{_NAME})")
GREETED: Final = re.compile(
    rf"(?i:\b(?:hi|hello|dear|hey|good (?:morning|afternoon|evening)|thanks))[ \t,]+(?P<name>{_NAME})"
)
WORDS: Final = re.compile(_NAME)
_OWN = rf"{_CAPITAL}(?:[ \t]+(?:{_CAPITAL}|&|and)){{0,5}}?"
ORGANISATION: Final = re.compile(rf"(?<![\w.&])(?P<name>{_OWN})(?:,?[ \t](?:{_legal_forms()})(?!\w)){{1,2}}")


def find_names(text: str) -> Iterator[Candidate]:
    """Kinds organisation and person, organisations first: `Dr Martens Ltd` is no doctor."""
    for match in ORGANISATION.finditer(text):
        start, end = trimmed(text, match.start("name"), match.end())
        yield Candidate("organisation", " ".join(text[start:end].split()), start, end)
    for pattern in (TITLED, GREETED):
        for match in pattern.finditer(text):
            yield from _person(text, match.start("name"), match.group("name"))
    for match in WORDS.finditer(text):
        yield from _listed(text, match.start(), match.group())


def _person(text: str, start: int, words: str) -> Iterator[Candidate]:
    """The words up to the first that is no part of a name."""
    end = start
    for word in re.finditer(_CAPITAL, words):
        if word.group() in NO_NAMES:
            break
        end = start + word.end()
    if end > start:
        yield Candidate("person", " ".join(text[start:end].split()), start, end)


def _listed(text: str, start: int, words: str) -> Iterator[Candidate]:
    """From the first listed first name on."""
    for word in re.finditer(_CAPITAL, words):
        if word.group() in first_names():
            yield from _person(text, start + word.start(), words[word.start() :])
            return
