"""What the platform has and the topics have not (I1): which comments were owed a record, and of which nobody can tell.

A comment is owed one if the trigger was advanced past it, its filter lets it through and a rule of now holds for it.
Every doubt is counted by its reason, never as lost and never as fine.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from bridge.domain.instant import parse_instant
from bridge.domain.model import Result, Undecodable
from bridge.domain.plan import TriggerPlan
from bridge.domain.record import bounded
from bridge.domain.standing import Standing
from bridge.domain.topic_record import TopicRecord

LOST_UIDS_MAX = 100
MARGIN = timedelta(seconds=60)
"""The clocks of the platform, of the brokers and of this process may differ by so much."""
BUCKETS = 64
HASH_MAX = 2**64 - 1


class Untold(Enum):
    """Why of a comment without a record it cannot be said whether it was owed one."""

    NO_UPLOAD_TIME = "no_upload_time"
    BEFORE_TRIGGER = "before_trigger"
    """Uploaded before the trigger was made and before all that it carried: where it began nobody says."""

    SKIPPED = "skipped_by_reset"
    TOPICS_SHORTENED = "topics_shortened"
    """Its record may have been there: retention took the oldest, or a topic is gone or cannot be read whole."""

    POSITION_UNKNOWN = "position_unknown"
    TRIGGER_CHANGED = "trigger_changed"
    """Model or filter may have been others when it was decided."""

    FILTER = "comment_filter"
    FILTER_UNKNOWN = "filter_unknown"
    """A platform that does not show the filters of its triggers."""

    NOT_PREDICTED = "not_predicted"
    NAMELESS = "nameless_dead_letters"
    """There are as many dead letters that do not say whose they are."""


class Stored(NamedTuple):
    """A comment as the platform lists it, its instants as written there; empty where it wrote none."""

    uid: str
    source_id: str
    created_at: str
    timestamp: str


@dataclass(slots=True, kw_only=True)
class PlatformFound:
    """What the platform's comments say of one trigger; `comments` are those uploaded in the time asked for.

    `waiting` are ahead of the trigger, or so close to its position that they may be. `sources_unseen` are sources of
    the dataset that the token may not see: of their comments nothing is known.
    """

    comments: int = 0
    carried: int = 0
    waiting: int = 0
    not_owed: int = 0
    lost: int = 0
    lost_uids: list[str] = field(default_factory=list)
    untold: Counter[Untold] = field(default_factory=Counter)
    sources_unseen: int = 0

    def as_json(self) -> dict[str, object]:
        """Counts and uids, never contents (I10)."""
        return {
            "comments": self.comments,
            "carried": self.carried,
            "waiting": self.waiting,
            "not_owed": self.not_owed,
            "lost": self.lost,
            "lost_uids": self.lost_uids,
            "not_to_be_told": {reason.value: count for reason, count in self.untold.items() if count},
            "sources_unseen": self.sources_unseen,
        }


class Carried:
    """The uids on the topics, as hashes; records of the generations `apart` stand on topics of their own."""

    def __init__(self, apart: Collection[tuple[str, int]]) -> None:
        self._apart = apart
        self._hashes: defaultdict[str, list[array[int]]] = defaultdict(lambda: [array("Q") for _ in range(BUCKETS)])
        self.nameless: Counter[str] = Counter()
        self.oldest: dict[str, datetime] = {}

    def take(self, records: Iterable[TopicRecord]) -> None:
        """Records and dead letters alike."""
        for record in records:
            if (record.trigger, record.generation) in self._apart:
                continue
            if record.uid:
                hashed = _hashed(record.uid)
                self._hashes[record.trigger][hashed % BUCKETS].append(hashed)
            elif record.is_dead:
                self.nameless[record.trigger] += 1
            at = parse_instant(record.created_at)
            if at is not None:
                self.oldest[record.trigger] = min(at, self.oldest.get(record.trigger, at))

    def seal(self) -> None:
        """All of them are taken; from now on it can be asked."""
        for buckets in self._hashes.values():
            buckets[:] = [array("Q", sorted(bucket)) for bucket in buckets]

    def has(self, identity: str, uid: str) -> bool:
        """Whether there is a record or a dead letter of it."""
        hashed = _hashed(uid)
        bucket = self._hashes[identity][hashed % BUCKETS]
        at = bisect_left(bucket, hashed)
        return at < len(bucket) and bucket[at] == hashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What is known of a trigger. `before` is what it was surely advanced past, None where nothing says.

    `kept_since` is since when no record is gone from the topics, None where that cannot be said of any time;
    `comment_filter` is None where it has none, and `shows_filter` false where the platform would not say.
    """

    before: datetime | None
    kept_since: datetime | None
    skipped_before: datetime | None = None
    oldest: datetime | None = None
    made_at: datetime | None = None
    changed_at: datetime | None = None
    shows_filter: bool = True
    comment_filter: Mapping[str, object] | None = None

    def doubt(self, created: datetime) -> Untold | None:
        """Of a comment that has no record and lies before the trigger's position."""
        if self.kept_since is None or created < self.kept_since:
            return Untold.TOPICS_SHORTENED
        if self.made_at is not None and created < min(self.made_at, self.oldest or self.made_at):
            return Untold.BEFORE_TRIGGER
        if self.skipped_before is not None and created < self.skipped_before:
            return Untold.SKIPPED
        # It was decided after its upload, and by a trigger that was there.
        if self.changed_at is not None and self.changed_at > max(created, self.made_at or created):
            return Untold.TRIGGER_CHANGED
        return None if self.shows_filter else Untold.FILTER_UNKNOWN


def skipped_before(standing: Standing) -> datetime | None:
    """Up to where resets were allowed to leave comments out."""
    return max((reset.to_comment_created_at for reset in standing.resets if reset.allow_skip), default=None)


def lets_through(comment_filter: Mapping[str, object] | None, comment: Stored) -> bool | None:
    """None where this side cannot tell; it reads of filters which sources and which own times they want."""
    told = [_one_lets_through(name, rule, comment) for name, rule in (comment_filter or {}).items()]
    if False in told:
        return False
    return None if None in told else True


class Owing:
    """Holds the comments of one trigger against what is known, a page at a time."""

    def __init__(
        self, plan: TriggerPlan, carried: Carried, passed: Passed, since: datetime | None, until: datetime | None
    ) -> None:
        self._plan = plan
        self._carried = carried
        self._passed = passed
        self._since = since + MARGIN if since else None
        self._until = until
        self.found = PlatformFound()

    @property
    def wants_predictions(self) -> bool:
        """Whether the rules are to be asked: where a topic takes what no rule takes, every comment is owed a record."""
        return self._plan.unmatched_topic is None

    def missing(self, page: Iterable[Stored]) -> list[str]:
        """The uids that only the rules can decide; the others are counted."""
        return [comment.uid for comment in page if self._is_for_the_rules(comment)]

    def decide(self, uid: str, result: Result | Undecodable | None) -> None:
        """One of `missing`, as the trigger would give it; None where the platform did not say what that is."""
        if result is None:
            self.found.untold[Untold.NOT_PREDICTED] += 1
        elif isinstance(result, Undecodable) or self._is_routed(result):
            self.lose(uid)
        else:
            self.found.not_owed += 1

    def lose(self, uid: str) -> None:
        """It was owed a record and has none."""
        self.found.lost += 1
        if len(self.found.lost_uids) < LOST_UIDS_MAX:
            self.found.lost_uids.append(uid)

    def judged(self) -> PlatformFound:
        """At the end, once: a dead letter without a uid may be that of any comment."""
        excused = min(self.found.lost, self._carried.nameless[self._plan.ref.identity])
        self.found.lost -= excused
        if excused:
            self.found.untold[Untold.NAMELESS] += excused
        return self.found

    def _is_routed(self, result: Result) -> bool:
        return any(not match.route.shadow for match in self._plan.rules.matches(result))

    def _is_for_the_rules(self, comment: Stored) -> bool:
        created = parse_instant(comment.created_at)
        if created is not None and not self._is_asked_for(created):
            return False
        self.found.comments += 1
        if self._carried.has(self._plan.ref.identity, comment.uid):
            self.found.carried += 1
            return False
        return self._is_passed(created) and self._is_let_through(comment)

    def _is_passed(self, created: datetime | None) -> bool:
        before = self._passed.before
        doubt = None
        if created is None:
            doubt = Untold.NO_UPLOAD_TIME
        elif before is None:
            doubt = Untold.POSITION_UNKNOWN
        elif created >= before:
            self.found.waiting += 1
            return False
        else:
            doubt = self._passed.doubt(created)
        if doubt is not None:
            self.found.untold[doubt] += 1
        return doubt is None

    def _is_let_through(self, comment: Stored) -> bool:
        passes = lets_through(self._passed.comment_filter, comment)
        if passes is None:
            self.found.untold[Untold.FILTER] += 1
        elif not passes:
            self.found.not_owed += 1
        return passes is True

    def _is_asked_for(self, created: datetime) -> bool:
        return (self._since is None or created >= self._since) and (self._until is None or created < self._until)


def _one_lets_through(name: str, rule: object, comment: Stored) -> bool | None:
    if name == "sources" and isinstance(rule, list):
        return comment.source_id in rule
    at = parse_instant(comment.timestamp)
    if name != "timestamp" or not isinstance(rule, Mapping) or at is None or rule.keys() - {"minimum", "maximum"}:
        return None
    low, high = (parse_instant(str(rule[end])) if end in rule else at for end in ("minimum", "maximum"))
    return None if low is None or high is None else low <= at <= high


def _hashed(uid: str) -> int:
    """Dead letters cut a long one."""
    return hash(bounded(uid)) & HASH_MAX
