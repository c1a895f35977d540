"""`comment_filter` (fact sheet section 2.2) as a predicate: keys combine with AND, values of a list with OR."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from bridge.sandbox.times import parse_time
from bridge.sandbox.wire import decode_mail


class _Message(msgspec.Struct):
    sender: str | None = msgspec.field(name="from", default=None)
    to: list[str] = []
    cc: list[str] = []
    bcc: list[str] = []


class CommentView(msgspec.Struct):
    """The parts of a stored comment that a filter can look at."""

    source_id: str
    timestamp: str
    user_properties: dict[str, str | int | float]
    messages: list[_Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A comment as a filter sees it; `labels` is None where nobody has reviewed it."""

    comment: CommentView
    labels: frozenset[tuple[str, ...]] | None = None
    exceptions: Mapping[str, str] = field(default_factory=dict)


Predicate = Callable[[Facts], bool]
_VIEW = msgspec.json.Decoder(CommentView)


def view_of(doc: bytes) -> CommentView:
    try:
        return _VIEW.decode(doc)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Only a document with lone surrogates gets here.
        return msgspec.convert(decode_mail(doc), CommentView)


def compile_filter(comment_filter: Mapping[str, Any]) -> Predicate:
    """From a filter that fits its shape."""
    checks: list[Predicate] = []
    for key, rule in comment_filter.items():
        checks.extend(_COMPILERS[key](rule))
    return lambda facts: all(check(facts) for check in checks)


def needs_exceptions(comment_filter: Mapping[str, Any]) -> bool:
    return "trigger_exceptions" in comment_filter


def label_path(name: str | list[str]) -> tuple[str, ...]:
    """Both spellings of a label's name (trap 27)."""
    return tuple(name.split(" > ")) if isinstance(name, str) else tuple(name)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip("> ").lower()


def _user_properties(rules: Mapping[str, Any]) -> list[Predicate]:
    return [_user_property(name, rule) for name, rule in rules.items()]


def _user_property(name: str, rule: Mapping[str, Any]) -> Predicate:
    """A comment without the property passes only where every operator is a negative one."""
    positive = bool({"one_of", "minimum", "maximum"} & set(rule))
    check: Callable[[Any], bool] = _in_range(rule) if name.startswith("number:") else _in_sets(rule)

    def holds(facts: Facts) -> bool:
        value = facts.comment.user_properties.get(name)
        return not positive if value is None else check(value)

    return holds


def _in_range(rule: Mapping[str, Any]) -> Callable[[Any], bool]:
    low, high, values = rule.get("minimum"), rule.get("maximum"), rule.get("one_of")
    return lambda value: (
        (low is None or value >= low) and (high is None or value <= high) and (values is None or value in values)
    )


def _in_sets(rule: Mapping[str, Any]) -> Callable[[str], bool]:
    return lambda value: _texts_pass(rule, [value])


def _texts_pass(rule: Mapping[str, Any], texts: list[str]) -> bool:
    """The four set operators over all texts of one kind in a comment."""
    for operator, wanted in rule.items():
        have = {_domain(text) for text in texts} if operator.startswith("domain_") else set(texts)
        listed = {text.lower() for text in wanted} if operator.startswith("domain_") else set(wanted)
        if bool(have & listed) is operator.endswith("not_one_of"):
            return False
    return True


def _timestamp(rule: Mapping[str, str]) -> list[Predicate]:
    low = parse_time(rule["minimum"]) if "minimum" in rule else None
    high = parse_time(rule["maximum"]) if "maximum" in rule else None

    def holds(facts: Facts) -> bool:
        moment = datetime.fromisoformat(facts.comment.timestamp)
        return (low is None or moment >= low) and (high is None or moment <= high)

    return [holds]


def _reviewed(rule: str) -> list[Predicate]:
    wanted = rule == "only_reviewed"
    return [lambda facts: (facts.labels is not None) is wanted]


def _sources(rule: list[str]) -> list[Predicate]:
    wanted = frozenset(rule)
    return [lambda facts: facts.comment.source_id in wanted]


_ADDRESSES: Mapping[str, Callable[[_Message], list[str]]] = {
    "from": lambda message: [] if message.sender is None else [message.sender],
    "to": lambda message: message.to,
    "cc": lambda message: message.cc,
    "bcc": lambda message: message.bcc,
    "recipient": lambda message: message.to + message.cc + message.bcc,
}


def _messages(rules: Mapping[str, Any]) -> list[Predicate]:
    return [_addresses(_ADDRESSES[place], rule) for place, rule in rules.items()]


def _addresses(pick: Callable[[_Message], list[str]], rule: Mapping[str, Any]) -> Predicate:
    return lambda facts: _texts_pass(rule, [text for message in facts.comment.messages for text in pick(message)])


def _annotations(rules: Mapping[str, Any]) -> list[Predicate]:
    """A comment counts as having a label when it is annotated with it or with a child of it."""
    rule = rules.get("labels", {})
    wanted = frozenset(label_path(name) for name in rule.get("one_of", ()))
    unwanted = frozenset(label_path(name) for name in rule.get("not_one_of", ()))

    def holds(facts: Facts) -> bool:
        have = {path[:depth] for path in facts.labels or () for depth in range(1, len(path) + 1)}
        return (not wanted or bool(have & wanted)) and not have & unwanted

    return [holds]


def _trigger_exceptions(rules: Mapping[str, Any]) -> list[Predicate]:
    return [_exception(name, rule) for name, rule in rules.items()]


def _exception(trigger: str, rule: Mapping[str, Any]) -> Predicate:
    """`include_missing` decides for a comment that was never tagged; without it, null in a list stands for such."""
    wanted, unwanted = rule.get("one_of"), rule.get("not_one_of", ())
    missing_passes = rule.get("include_missing")

    def holds(facts: Facts) -> bool:
        kind = facts.exceptions.get(trigger)
        if kind is None and missing_passes is not None:
            return bool(missing_passes)
        return (wanted is None or kind in wanted) and kind not in unwanted

    return holds


_COMPILERS: Mapping[str, Callable[[Any], list[Predicate]]] = {
    "user_properties": _user_properties,
    "timestamp": _timestamp,
    "reviewed": _reviewed,
    "sources": _sources,
    "messages": _messages,
    "annotations": _annotations,
    "trigger_exceptions": _trigger_exceptions,
}
