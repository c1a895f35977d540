"""Conditions that can be read and do not do what their writer meant."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.app.config.checks import section, sections, text
from bridge.app.config.document import Section
from bridge.app.config.findings import Findings
from bridge.domain.labels import levels_of

STRING, NUMBER = "string:", "number:"


def check_rules(file: Section, findings: Findings) -> None:
    """Look at every condition of every route."""
    for trigger in sections(file, "triggers"):
        for route in sections(trigger, "routes"):
            for condition in _conditions(section(route, "when")):
                _check_label(condition, findings)
                _check_property(condition, findings)


def _conditions(when: Section) -> Iterator[Section]:
    yield when
    for key in ("all", "any"):
        for part in sections(when, key):
            yield from _conditions(part)
    if "not" in when:
        yield from _conditions(section(when, "not"))


def _check_label(condition: Section, findings: Findings) -> None:
    label, path = condition.get("label"), (*condition.path, "label")
    levels = levels_of(label) if isinstance(label, str) else label if isinstance(label, list) else ()
    for level in levels:
        if not isinstance(level, str) or not level.strip("*"):
            continue
        if "*" in level:
            sentence = f"the * in {level!r} stands for itself: as a wildcard it takes the place of a whole level"
            findings.warning(path, "literal_star", sentence)
        if ">" in level and isinstance(label, str):
            sentence = f"{level!r} is one level: levels are joined by ' > ' with a blank on each side"
            findings.warning(path, "literal_separator", sentence)


def _check_property(condition: Section, findings: Findings) -> None:
    name, path = text(condition, "user_property"), (*condition.path, "user_property")
    if not name:
        return
    if not name.startswith((STRING, NUMBER)):
        sentence = f"the platform names user properties with their type: did you mean `string:{name}`?"
        findings.warning(path, "untyped_user_property", sentence)
    wanted = condition.get("one_of")
    types = {type(each) for each in wanted} if isinstance(wanted, list) else set()
    if name.startswith(NUMBER) and any(issubclass(each, str) for each in types):
        sentence = "a number property never equals a text: write numbers without quotes"
        findings.error((*condition.path, "one_of"), "never_holds", sentence)
    if name.startswith(STRING) and types & {int, float}:
        sentence = "a text property never equals a number: put the values in quotes"
        findings.error((*condition.path, "one_of"), "never_holds", sentence)
    if name.startswith(STRING) and {"min", "max"} & condition.keys():
        findings.error(path, "never_holds", "a text property has no least or greatest value: use `one_of`")
