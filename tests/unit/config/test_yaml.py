"""The tree that every line number comes from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.app.config import yaml_reader
from bridge.app.config.mistakes import Path
from bridge.app.config.yaml_reader import DEPTH_MAX, MERGED_KEYS_MAX, Unreadable, compose
from bridge.app.config.yaml_tree import Items, Node, Place, Scalar, Table, at, key_place, place_of, plain_value

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=12)
scalars = st.one_of(
    texts, st.integers(-1000, 1000), st.booleans(), st.none(), st.floats(-1e3, 1e3).map(lambda x: round(x, 3))
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def value_of(node: Node) -> object:
    if isinstance(node, Scalar):
        return plain_value(node.text) if node.plain else node.text
    if isinstance(node, Items):
        return [value_of(item) for item in node.items]
    return {key: value_of(value) for key, value in node.values.items()}


def places(node: Node, path: Path = ()) -> Iterator[tuple[Path, Place]]:
    yield path, node.place
    if isinstance(node, Items):
        for place, item in enumerate(node.items):
            yield from places(item, (*path, place))
    if isinstance(node, Table):
        for key, value in node.values.items():
            yield from places(value, (*path, key))


def reference_places(node: yaml.Node, path: Path = ()) -> Iterator[tuple[Path, Place]]:
    """The same by PyYAML's own composer in Python."""
    mark = node.start_mark
    yield path, Place(mark.line + 1, mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield from reference_places(item, (*path, place))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from reference_places(value, (*path, key.value))


@given(documents, st.sampled_from([True, False, None]), st.sampled_from([None, '"']))
def test_every_node_is_read_and_stands_where_another_reader_says(
    document: object, flow: bool | None, style: str | None
) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, default_style=style, allow_unicode=True, sort_keys=False)
    root = compose(text)
    assert value_of(root) == document
    reference = yaml.compose(text, Loader=yaml.SafeLoader)
    assert reference is not None
    assert list(places(root)) == list(reference_places(reference))
    for path, place in places(root):
        assert place_of(root, path) == place


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30:00", "12:30:00"),
        ("2020-06-01", "2020-06-01"),
        ("1_000", "1_000"),
        ("0o17", "0o17"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.Inf", float("-inf")),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert plain_value(text) == value


def test_not_a_number_is_one_too() -> None:
    value = plain_value(".nan")
    assert isinstance(value, float)
    assert value != value


def test_quotes_make_text_of_anything() -> None:
    assert value_of(compose("[\"1\", '2', !!str 3, |-\n 4\n ]".replace("|-\n 4\n ", "'4'"))) == ["1", "2", "3", "4"]
    assert value_of(compose("a: |\n  1\n")) == {"a": "1\n"}


def test_anchors_and_merge_keys_work_and_keep_the_place_they_were_written_at() -> None:
    root = compose(
        "base: &base {a: 1, b: 2}\nother: &other {b: 7, c: 8}\nx:\n  <<: [*base, *other]\n  a: 3\ny: *base\n"
    )
    assert value_of(root) == {
        "base": {"a": 1, "b": 2},
        "other": {"b": 7, "c": 8},
        "x": {"a": 3, "b": 2, "c": 8},
        "y": {"a": 1, "b": 2},
    }
    assert place_of(root, ("x", "a")) == Place(5, 6)
    assert place_of(root, ("x", "b")) == Place(1, 23)
    assert key_place(root, ("x", "c")) == Place(2, 22)


def test_a_doubled_key_keeps_the_first_and_knows_both() -> None:
    root = compose("a: 1\nb: 2\na: 3\n")
    assert isinstance(root, Table)
    assert value_of(root) == {"a": 1, "b": 2}
    assert [(key.text, key.place.line) for key in root.doubled] == [("a", 3)]


def test_a_place_that_is_not_there_is_the_nearest_around_it() -> None:
    root = compose("a:\n  b: [1, 2]\n")
    assert place_of(root, ("a", "b", 7, "c")) == Place(2, 6)
    assert place_of(root, ("z",)) == Place(1, 1)
    assert at(root, ("a", "b", -1)) is None
    assert key_place(root, ("a", "z")) == Place(2, 3)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "the file is empty"),
        ("# nothing but a comment\n", 1, 1, "the file is empty"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ("a: [1, 2\nb: 3\n", 2, 2, "which begins on line 1"),
        ("a: 1\n b: 2\n", 2, 3, "not valid YAML"),
        ("a:\n\t- 1\n", 2, 1, "not valid YAML"),
        ("a: {b: ${C}}\n", 1, 9, "put ${VARIABLE} in quotes"),
        ("a: *b\n", 1, 4, "nowhere defined"),
        ("a: &a [*a]\n", 1, 8, "stands inside itself"),
        ("a: !!python/object/apply:os.system [x]\n", 1, 4, "is not taken here"),
        ("a: !custom 1\n", 1, 4, "is not taken here"),
        ("? [1, 2]\n: 3\n", 1, 3, "a key must be text"),
        ("<<: 1\n", 1, 5, "<< takes the keys"),
        ("a: 1\nb: \x01\n", 2, 4, "a character that YAML does not allow"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(Unreadable, match=r".") as caught:
        compose(text)
    assert (caught.value.place.line, caught.value.place.column) == (line, column)
    assert words in caught.value.sentence


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "{a: " * 5000 + "}" * 5000, "- " * 5000 + "x"])
def test_deep_nesting_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(Unreadable, match=f"more than {DEPTH_MAX} levels"):
        compose(text)


def test_merging_one_large_mapping_many_times_is_bounded() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(2_000))
    times = MERGED_KEYS_MAX // 2_000 + 1
    with pytest.raises(Unreadable, match="copies more than"):
        compose(f"base: &b {{{keys}}}\nx:\n" + "  - {<<: *b}\n" * times)


def test_the_parser_in_python_gives_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML comes without its C part."""
    text = "a: &x {b: [1, 'two', \"three\"]}\nc:\n  - *x\n  - |\n    four\n  - !!str 5\n"
    fast = compose(text)
    monkeypatch.setattr(yaml_reader, "_LOADER", yaml.SafeLoader)
    slow = compose(text)
    assert value_of(slow) == value_of(fast)
    assert list(places(slow)) == list(places(fast))
