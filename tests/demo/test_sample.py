"""The made-up mail: the same for the same seed, varied, balanced, and of the shape the platform takes."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from bridge.app.demo.sample.mail import COMMENTS, make_sample
from bridge.app.demo.uploads import Upload, label_names
from bridge.domain.plan import RECORD_BYTES_MAX_DEFAULT

AMOUNT = re.compile(r"\b[A-Z]{3} [\d,]+\.\d\d\b|\b[\d,]+ [A-Z]{3}\b|[£€][\d,]+")
DATE = re.compile(r"\b2026-\d\d-\d\d\b|\b\d{1,2} [A-Z][a-z]+ 2026\b")
REFERENCE = re.compile(r"\b(TRD|LQ|OTC|INV|CLM)-\d{6}\b")


@pytest.fixture(scope="module")
def sample() -> list[Upload]:
    return make_sample()


def messages(upload: Upload) -> list[dict[str, Any]]:
    found = upload.comment["messages"]
    assert isinstance(found, list)
    return found


def body(upload: Upload) -> str:
    return str(messages(upload)[0]["body"]["text"]) if messages(upload) else ""


def share(sample: list[Upload], pattern: re.Pattern[str]) -> float:
    return sum(bool(pattern.search(body(upload))) for upload in sample) / len(sample)


def test_one_seed_is_one_sample_and_another_seed_another(sample: list[Upload]) -> None:
    assert make_sample() == sample
    assert make_sample(seed=1) != sample
    assert len(sample) == COMMENTS


def test_hardly_two_bodies_are_equal(sample: list[Upload]) -> None:
    bodies = [body(upload) for upload in sample if body(upload)]
    assert len(set(bodies)) > 0.98 * len(bodies)
    assert len({str(upload.comment["id"]) for upload in sample}) == len(sample)


def test_mail_has_amounts_dates_and_references(sample: list[Upload]) -> None:
    assert share(sample, AMOUNT) > 0.5
    assert share(sample, DATE) > 0.5
    assert share(sample, REFERENCE) > 0.4


def test_labels_are_balanced_and_each_is_taught_often_enough(sample: list[Upload]) -> None:
    taught = Counter(label for upload in sample if upload.teaches for label in upload.labels)
    assert sorted(taught) == label_names(sample)
    assert len(taught) == 11
    assert min(taught.values()) >= 8
    assert max(taught.values()) < 0.3 * COMMENTS / 2
    assert sum(len(upload.labels) > 1 for upload in sample) > 0.1 * COMMENTS
    assert any(upload.teaches and not upload.labels for upload in sample), "what is nothing must be taught too"


def test_about_half_is_annotated(sample: list[Upload]) -> None:
    assert 0.48 <= sum(upload.teaches for upload in sample) / COMMENTS <= 0.52


def test_threads_have_replies_by_both_sides(sample: list[Upload]) -> None:
    senders: dict[str, set[str]] = {}
    for upload in sample:
        for message in messages(upload)[:1]:
            senders.setdefault(str(upload.comment["thread_id"]), set()).add(str(message["from"]))
    assert sum(len(each) > 1 for each in senders.values()) > 30
    assert len(set.union(*senders.values())) > 50


def test_some_are_long_some_are_empty_and_one_is_larger_than_a_record_may_be(sample: list[Upload]) -> None:
    sizes = [len(json.dumps(upload.comment["messages"], ensure_ascii=False).encode()) for upload in sample]
    assert sum(size > RECORD_BYTES_MAX_DEFAULT for size in sizes) == 1
    assert sum(5_000 < size < RECORD_BYTES_MAX_DEFAULT for size in sizes) >= 4
    empty = [upload for upload in sample if not body(upload)]
    assert 2 <= len(empty) <= 0.05 * COMMENTS
    assert not any(upload.labels for upload in empty)


def test_names_are_of_many_scripts(sample: list[Upload]) -> None:
    text = "".join(str(message.get("from")) for upload in sample for message in messages(upload)[:1])
    for letter in ("ß", "Ż", "田", "ο", "Т", "כ", "ễ"):
        assert letter in text


def test_mail_comes_in_the_order_of_its_time(sample: list[Upload]) -> None:
    times = [str(upload.comment["timestamp"]) for upload in sample]
    assert times == sorted(times)
