"""What must not stand beside each other. Looks at plain values, so that a mistake in one part hides none elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bridge.app.config.document import Section
from bridge.app.config.findings import Findings
from bridge.app.config.mistakes import Path
from bridge.app.config.values import did_you_mean, is_loopback
from bridge.domain.record import DEAD_LETTER_ROUTE, UNMATCHED_ROUTE

ACCEPTABLE = {
    "single_replica": "topics with one replica or min.insync.replicas below 2",
    "evicting_redis": "a Redis that throws marks away when its memory is full",
    "unclean_election": "topics whose leader may be a copy that lacks acked records",
    "compacted_topics": "topics that keep the last record of a key only",
    "short_retention": "topics that forget records sooner than their marks",
    "unchecked_topics": "topics whose settings we may not read",
    "unverified_redis": "a Redis that does not let us ask about its settings",
}
"""The weaker guarantees that `accept` can name (D16)."""

RESERVED_ROUTES = frozenset({UNMATCHED_ROUTE, DEAD_LETTER_ROUTE})


def check(file: Section, findings: Findings) -> None:
    """Report everything that the shape alone cannot know."""
    check_platform(section(file, "platform"), findings)
    check_accepted(file, findings)
    check_triggers(file, findings)


def section(around: Section, key: str) -> Section:
    """The mapping under a key; an empty one where there is none."""
    found = around.get(key)
    return found if isinstance(found, Section) else Section((*around.path, key))


def sections(around: Section, key: str) -> Iterator[Section]:
    """The mappings in the list under a key."""
    found = around.get(key)
    for each in found if isinstance(found, list) else []:
        if isinstance(each, Section):
            yield each


def text(around: Section, key: str) -> str:
    """The text under a key; empty where there is none."""
    found = around.get(key)
    return found if isinstance(found, str) else ""


def check_platform(platform: Section, findings: Findings) -> None:
    """A token must not travel readable over a network (D20)."""
    if platform and platform.get("token") is None and platform.get("token_file") is None:
        findings.error(platform.path, "missing_token", "the platform needs `token` (as ${NAME}) or `token_file`")
    url = text(platform, "base_url")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return  # the shape has said it
    if parts.scheme == "http" and host and not is_loopback(host) and platform.get("allow_insecure") is not True:
        findings.error(
            (*platform.path, "base_url"),
            "insecure_url",
            "the token would travel readable over plain http: use https, or write `allow_insecure: true` beside it",
        )


def check_accepted(file: Section, findings: Findings) -> None:
    """A word that means nothing accepts nothing."""
    accepted = file.get("accept")
    for place, word in enumerate(accepted if isinstance(accepted, list) else []):
        if isinstance(word, str) and word not in ACCEPTABLE:
            sentence = f"`{word}` is nothing that can be accepted{did_you_mean(word, ACCEPTABLE)}"
            findings.error(
                ("accept", place), "unknown_accept", f"{sentence}; there are {', '.join(sorted(ACCEPTABLE))}"
            )


def check_triggers(file: Section, findings: Findings) -> None:
    """Names, platform triggers and topics that get in each other's way."""
    defaults = section(file, "defaults")
    own_topics = {f"bridge.{text(file, 'deployment')}.{suffix}" for suffix in ("state", "control", "status")}
    names: dict[str, Path] = {}
    cursors: dict[tuple[str, ...], Path] = {}
    for trigger in sections(file, "triggers"):
        name_key = "name" if "name" in trigger else "trigger"
        once(names, text(trigger, name_key), (*trigger.path, name_key), "doubled_trigger_name", findings)
        check_cursor(cursors, trigger, findings)
        check_routes(trigger, findings)
        check_topics(trigger, defaults, own_topics, findings)


def once(seen: dict[str, Path], name: str, path: Path, code: str, findings: Findings) -> None:
    """Report a name that stands somewhere already."""
    if not name:
        return
    first = seen.setdefault(name, path)
    if first != path:
        line = findings.line(first)
        findings.error(path, code, f"the name `{name}` is taken by line {line}: give each one its own")


def check_cursor(seen: dict[tuple[str, ...], Path], trigger: Section, findings: Findings) -> None:
    """I6: of two workers on one position each loses what the other advances past."""
    cursor = tuple(text(trigger, key) for key in ("project", "dataset", "trigger"))
    if not all(cursor):
        return
    first = seen.setdefault(cursor, trigger.path)
    if first != trigger.path:
        findings.error(
            (*trigger.path, "trigger"),
            "doubled_platform_trigger",
            f"{'/'.join(cursor)} is read by the trigger on line {findings.line(first)} already: two readers "
            "of one position lose results to each other; put all routes under one, or make a second trigger there",
        )


def check_routes(trigger: Section, findings: Findings) -> None:
    """Every route of a trigger needs a name of its own: it is part of the idempotency key (D4)."""
    seen: dict[str, Path] = {}
    for route in sections(trigger, "routes"):
        name, path = text(route, "name"), (*route.path, "name")
        once(seen, name, path, "doubled_route_name", findings)
        if name in RESERVED_ROUTES:
            sentence = f"`{name}` is the name of the bridge's own route for such results: choose another"
            findings.error(path, "reserved_route_name", sentence)


def check_topics(trigger: Section, defaults: Section, own_topics: set[str], findings: Findings) -> None:
    """Dead letters among good records, records in the bridge's own topics, and results with no way out."""
    dead_letter = section(trigger if "dead_letter" in trigger else defaults, "dead_letter")
    unmatched = section(trigger if "unmatched" in trigger else defaults, "unmatched")
    targets = [*sections(trigger, "routes"), unmatched]
    for target in targets:
        topic, path = text(target, "topic"), (*target.path, "topic")
        if topic and topic == text(dead_letter, "topic"):
            sentence = f"{topic} is the dead-letter topic of this trigger too: its readers would meet both kinds"
            findings.warning(path, "dead_letters_among_records", sentence)
    for target in [*targets, dead_letter]:
        if (topic := text(target, "topic")) in own_topics:
            findings.error(
                (*target.path, "topic"), "own_topic", f"{topic} is a topic of the bridge itself: use another"
            )
    if not text(dead_letter, "topic"):
        findings.warning(
            trigger.path,
            "no_dead_letter_topic",
            "this trigger has no dead_letter topic: one result that cannot be routed will stop it until you name one",
        )
