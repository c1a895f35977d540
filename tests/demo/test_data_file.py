"""`--data`: what is taken, and each mistake with its line."""

import json
from pathlib import Path

import pytest

from bridge.app.demo.data_file import DEFAULT_TIMESTAMP, read_data
from bridge.app.demo.failures import BadInput
from bridge.app.demo.uploads import label_names

MESSAGES = [{"body": {"text": "hello"}}]
GOOD = {"comment": {"id": "01", "timestamp": "2026-01-01T00:00:00Z", "messages": MESSAGES}, "labels": [["A", "B"]]}


def written(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_labelled_lines_teach_and_the_others_are_only_uploaded(tmp_path: Path) -> None:
    plain = {"comment": {"messages": MESSAGES}}
    uploads = read_data(written(tmp_path / "d.jsonl", GOOD, "", plain, {**plain, "labels": []}))
    assert [upload.teaches for upload in uploads] == [True, False, False]
    assert label_names(uploads) == [("A", "B")]
    assert uploads[0].comment == GOOD["comment"]
    assert uploads[1].comment == {"id": f"{3:016x}", "timestamp": DEFAULT_TIMESTAMP, "messages": MESSAGES}


def test_what_the_platform_itself_added_to_an_exported_comment_is_left_out(tmp_path: Path) -> None:
    exported = {"uid": "x.01", "created_at": "2026-01-01T00:00:00Z", "source_id": "x", "user_properties": {}}
    row = {"comment": {"id": "01", "messages": [], **exported}, "labels": [["A"]]}
    (upload,) = read_data(written(tmp_path / "d.jsonl", row))
    assert sorted(upload.comment) == ["id", "messages", "timestamp", "user_properties"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", 'an object with "comment" is needed'),
        ({"comment": []}, 'an object with "comment" is needed'),
        ({"comment": {"id": "02"}}, '"messages"'),
        ({"comment": {"messages": MESSAGES}, "labels": ["A"]}, '"labels" is a list of lists'),
        ({"comment": {"messages": MESSAGES}, "labels": [[]]}, '"labels" is a list of lists'),
        ({"comment": {"messages": MESSAGES}, "labels": [["*"]]}, "none of them"),
        ({"comment": {"messages": MESSAGES}, "labels": [["x" * 65]]}, "1 to 64 characters"),
        (GOOD, "is on line 1 already"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, row: object, sentence: str) -> None:
    path = written(tmp_path / "d.jsonl", GOOD, row)
    with pytest.raises(BadInput) as caught:
        read_data(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert sentence in str(caught.value)


def test_a_file_without_labels_has_nothing_to_teach(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to train"):
        read_data(written(tmp_path / "d.jsonl", {"comment": {"messages": MESSAGES}}))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        read_data(path)
