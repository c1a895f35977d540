"""Label paths and the patterns that rules write: `*` is one level, `**` any number of levels, none included."""

from __future__ import annotations

from collections.abc import Callable

from bridge.domain.model import Label

LEVEL_SEPARATOR = " > "
ANY_LEVEL = "*"
ANY_LEVELS = "**"

LEVELS_MAX = 64
LEVEL_CHARS_MAX = 64


def levels_of(text: str) -> Label:
    """The levels of a label as the platform spells it in text. A level that holds ` > ` itself needs the list form."""
    return tuple(text.split(LEVEL_SEPARATOR))


def spelled(label: Label) -> str:
    """The text form, for people."""
    return LEVEL_SEPARATOR.join(label)


def is_exact(pattern: Label) -> bool:
    """Whether the pattern names one label and no other."""
    return ANY_LEVEL not in pattern and ANY_LEVELS not in pattern


def literal_prefix(pattern: Label) -> Label:
    """The levels that every matching label begins with."""
    for place, level in enumerate(pattern):
        if level in (ANY_LEVEL, ANY_LEVELS):
            return pattern[:place]
    return pattern


def literal_suffix(pattern: Label) -> Label:
    """The levels that every matching label ends with."""
    return literal_prefix(pattern[::-1])[::-1]


def pattern_matches(pattern: Label, label: Label) -> bool:
    """Whether a label falls under a pattern.

    Steps back to the last `**` only, so the work is bounded by the product of both lengths, whatever is written.
    """
    at_pattern = at_label = 0
    retry_pattern = retry_label = -1
    while at_label < len(label):
        wanted = pattern[at_pattern] if at_pattern < len(pattern) else None
        if wanted == ANY_LEVELS:
            retry_pattern, retry_label = at_pattern, at_label
            at_pattern += 1
        elif wanted is not None and wanted in (ANY_LEVEL, label[at_label]):
            at_pattern, at_label = at_pattern + 1, at_label + 1
        elif retry_pattern >= 0:
            retry_label += 1
            at_pattern, at_label = retry_pattern + 1, retry_label
        else:
            return False
    return all(level == ANY_LEVELS for level in pattern[at_pattern:])


def pattern_test(pattern: Label) -> Callable[[Label], bool]:
    """`pattern_matches` of one pattern, made ready: one wildcard is a comparison of both ends."""
    wild = [place for place, level in enumerate(pattern) if level in (ANY_LEVEL, ANY_LEVELS)]
    if len(wild) != 1:
        return lambda label: pattern_matches(pattern, label)
    head, tail = pattern[: wild[0]], pattern[wild[0] + 1 :]
    of_head, of_tail, least = len(head), len(tail), len(head) + len(tail)
    if pattern[wild[0]] == ANY_LEVEL:
        return lambda label: (
            len(label) == least + 1 and label[:of_head] == head and (not tail or label[-of_tail:] == tail)
        )
    return lambda label: len(label) >= least and label[:of_head] == head and (not tail or label[-of_tail:] == tail)
