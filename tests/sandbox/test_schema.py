"""The request validator against an independent one, on the shapes in use and damaged versions of lawful requests."""

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox.errors import ApiError
from bridge.sandbox.schema import Shape
from bridge.sandbox.settings import Profile
from bridge.sandbox.shapes import Shapes, make_shapes
from bridge.sandbox.times import parse_time

SHAPES = {profile: make_shapes(profile, 3) for profile in Profile}
FORMATS = jsonschema.FormatChecker(formats=[])


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_time(value))


FORMATS.checks("date-time", raises=ApiError)(_is_time)


LAWFUL: list[tuple[str, Any]] = [
    (
        "sync",
        {
            "comments": [
                {
                    "id": "ab",
                    "timestamp": "2020-01-01T00:00:00Z",
                    "messages": [{"body": {"text": "x"}, "from": "a", "to": ["b"], "sent_at": "2020-01-01"}],
                    "user_properties": {"string:a": "b", "number:c": 1.5},
                }
            ]
        },
    ),
    ("fetch", {"size": 8, "max_filtered": 2}),
    ("advance", {"sequence_id": "4LvtenIBAAA="}),
    ("reset", {"to_comment_created_at": "2020-06-03T16:05:00"}),
    ("exceptions", {"exceptions": [{"uid": "a.b", "metadata": {"type": "t"}}]}),
    (
        "sync_annotations",
        {"annotations": [{"comment_uid": "a.b", "labels": [{"name": ["A", "B"]}, {"name": "A > B"}]}]},
    ),
    ("dataset_create", {"dataset": {"source_ids": ["0123456789abcdef"], "has_sentiment": False}}),
    (
        "trigger_create",
        {
            "trigger": {
                "name": "t",
                "model": {"version": 8, "label_thresholds": [{"name": ["A"], "threshold": 0.5}]},
                "comment_filter": {
                    "user_properties": {
                        "number:Spend": {"maximum": 100000, "minimum": 100},
                        "number:Transactions": {"one_of": [1]},
                        "string:Country": {"one_of": ["uk", "de"]},
                    }
                },
            }
        },
    ),
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "ab", "AB", "2020-01-01", "x" * 70, "string:a", "a b"]),
    st.lists(st.sampled_from([1, 1.0, True, "a", "b", None]), max_size=5),
    st.just({}),
    st.just({"text": 1}),
)


def shape_of(shapes: Shapes, name: str) -> Shape:
    found: Shape | dict[str, Shape] = getattr(shapes, name)
    return found["trigger"] if isinstance(found, dict) else found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *places(item)]]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Any]:
    """A lawful request with up to two places replaced, removed or added to."""
    name, request = draw(st.sampled_from(LAWFUL))
    request = copy.deepcopy(request)
    for _ in range(draw(st.integers(0, 2))):
        spots = places(request)
        if not spots:
            break
        container, key = draw(st.sampled_from(spots))
        how = draw(st.sampled_from(["replace", "remove", "add", "double"]))
        if how == "replace":
            container[key] = copy.deepcopy(draw(VALUES))
        elif how == "remove":
            del container[key]
        elif how == "double" and isinstance(container, list):
            container.extend(copy.deepcopy(container))
        elif isinstance(container, dict):
            container[draw(st.sampled_from(["extra", "title", "string:x", "number:x", "one_of"]))] = copy.deepcopy(
                draw(VALUES)
            )
    return name, request


@settings(max_examples=400, deadline=None)
@given(case=damaged(), profile=st.sampled_from(list(Profile)))
def test_it_takes_and_refuses_what_an_independent_validator_does(case: tuple[str, Any], profile: Profile) -> None:
    name, request = case
    shape = shape_of(SHAPES[profile], name)
    judge = jsonschema.Draft202012Validator(dict(shape.schema), format_checker=FORMATS)
    if judge.is_valid(request):
        shape.validate(request)
    else:
        with pytest.raises(ApiError) as refusal:
            shape.validate(request)
        assert refusal.value.status == 400


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize(("name", "request_body"), LAWFUL, ids=[name for name, _ in LAWFUL])
def test_the_lawful_requests_are_taken(profile: Profile, name: str, request_body: Any) -> None:
    shape_of(SHAPES[profile], name).validate(request_body)


def test_the_shapes_themselves_are_lawful_schemas() -> None:
    for shapes in SHAPES.values():
        for name, _ in LAWFUL:
            jsonschema.Draft202012Validator.check_schema(dict(shape_of(shapes, name).schema))


def test_a_keyword_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        Shape({"type": "number", "multipleOf": 2})
