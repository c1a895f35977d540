"""Results as rules see them, written briefly, and strategies that make colliding ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from bridge.domain.labels import levels_of
from bridge.domain.model import Label, SequenceId
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    Not,
    UserPropertyHolds,
)

FIRST_SEQUENCE_ID = SequenceId("qs8QcHIBAACuYzDeit-pwQdWGYGQImdy")
Value = str | float | int | bool | None


@dataclass(frozen=True)
class FakePrediction:
    name: Label
    probability: float
    sentiment: float | None = None


@dataclass(frozen=True)
class FakeEntity:
    kind: str = ""
    name: str = ""


@dataclass(frozen=True)
class FakeComment:
    uid: str = "0123456789abcdef.61"
    thread_id: str | None = None
    created_at: str = "2020-06-01T13:27:29.450Z"
    user_properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeResult:
    labels: Sequence[FakePrediction] = ()
    entities: Sequence[FakeEntity] = ()
    comment: FakeComment = FakeComment()
    sequence_id: SequenceId = FIRST_SEQUENCE_ID
    raw: bytes = b"{}"
    has_reserved_keys: bool = False

    @property
    def rest(self) -> bytes:
        return self.raw[1:]

    def kept(self) -> FakeResult:
        return self


def a_result(
    labels: Mapping[str, float] | None = None, /, *, entities: Sequence[str] = (), **properties: Value
) -> FakeResult:
    """Labels by their text form, entities by kind, user properties by name."""
    return FakeResult(
        labels=[FakePrediction(levels_of(name), probability) for name, probability in (labels or {}).items()],
        entities=[FakeEntity(kind=kind) for kind in entities],
        comment=FakeComment(user_properties=properties),
    )


def a_label(pattern: str, low: float = 0.0, high: float = 1.0, **sentiment: float) -> LabelHolds:
    return LabelHolds(levels_of(pattern), low, high, **sentiment)


# few words and few numbers, so that rules and results meet often
levels = st.sampled_from(["a", "b", "c", "*"])
thresholds = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
odd_numbers = st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.5, 1.5, 1.0000001])
probabilities = st.one_of(thresholds, st.floats(0, 1), odd_numbers)
sentiments = st.one_of(st.none(), st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), odd_numbers)
names = st.sampled_from(["string:x", "number:y", "string:z"])
values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["u", "v", "1"]),
    st.sampled_from([0, 1, 2, 1.0, 12000, 12000.0]),
    odd_numbers,
)
kinds = st.sampled_from(["date", "money", ""])

results = st.builds(
    FakeResult,
    labels=st.lists(
        st.builds(
            FakePrediction,
            name=st.lists(levels, min_size=1, max_size=4).map(tuple),
            probability=probabilities,
            sentiment=sentiments,
        ),
        max_size=6,
    ),
    entities=st.lists(st.builds(FakeEntity, kind=kinds, name=kinds), max_size=3),
    comment=st.builds(FakeComment, user_properties=st.dictionaries(names, values, max_size=3)),
)

patterns = st.lists(st.sampled_from(["a", "b", "c", "*", "**"]), min_size=1, max_size=5).map(tuple)
limits = st.one_of(st.none(), st.sampled_from([-1.0, 0.5, 1.0, 2.0, 12000.0]))
sentiment_limits = st.one_of(st.none(), st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))
label_conditions: st.SearchStrategy[LabelHolds] = st.one_of(
    st.builds(
        LabelHolds, patterns, thresholds, thresholds, sentiment_min=sentiment_limits, sentiment_max=sentiment_limits
    ),
    st.builds(LabelHolds, patterns, thresholds),
)
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Always),
    label_conditions,
    st.builds(EntityPresent, kinds.filter(bool)),
    st.builds(
        UserPropertyHolds,
        name=names,
        one_of=st.one_of(
            st.none(), st.lists(st.sampled_from(["u", "v", "1", 1, 1.0, 2.5, 12000]), min_size=1, max_size=2).map(tuple)
        ),
        minimum=limits,
        maximum=limits,
    ),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.builds(AllOf, st.lists(parts, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(parts, max_size=3).map(tuple)),
        st.builds(Not, parts),
    ),
    max_leaves=6,
)
