"""The demo's judge, judged by planted faults (I4, I8)."""

from dataclasses import replace

import pytest

from bridge.app.demo.oracle import Place
from bridge.app.demo.verdict import Seen, Verdict, compare

TOPICS = ("t.one", "t.two", "t.rest")
EXPECTED = [
    Place("s1", "one", "t.one"),
    Place("s1", "two", "t.two"),
    Place("s2", "one", "t.one"),
    Place("s3", "unmatched", "t.rest"),
]


def seen(place: Place, offset: int, **changes: object) -> Seen:
    record = Seen(
        topic=place.topic, partition=0, offset=offset, sequence_id=place.sequence_id, route=place.route, generation=0
    )
    return replace(record, **changes)  # type: ignore[arg-type]


ALL = [seen(place, offset) for offset, place in enumerate(EXPECTED)]


def judge(records: list[Seen]) -> Verdict:
    return compare(EXPECTED, records, TOPICS)


def test_a_whole_delivery_has_no_fault() -> None:
    verdict = judge(ALL)
    assert verdict.published == {"t.one": 2, "t.two": 1, "t.rest": 1}
    assert (verdict.unmatched, verdict.dead_letters, verdict.copies) == (1, 0, 0)
    assert (verdict.lost, verdict.stray) == ((), ())


@pytest.mark.parametrize("gone", range(len(EXPECTED)))
def test_each_lost_record_is_named(gone: int) -> None:
    verdict = judge(ALL[:gone] + ALL[gone + 1 :])
    assert verdict.lost == (EXPECTED[gone],)
    assert verdict.published[EXPECTED[gone].topic] == judge(ALL).published[EXPECTED[gone].topic] - 1


def test_nothing_delivered_is_all_lost() -> None:
    assert set(judge([]).lost) == set(EXPECTED)


def test_a_record_on_the_wrong_topic_is_lost_here_and_stray_there() -> None:
    verdict = judge([replace(ALL[0], topic="t.two"), *ALL[1:]])
    assert verdict.lost == (EXPECTED[0],)
    assert [each.topic for each in verdict.stray] == ["t.two"]


def test_a_record_that_nobody_promised_is_stray() -> None:
    alien = replace(ALL[0], sequence_id="s9", offset=9)
    assert judge([*ALL, alien]).stray == (alien,)


def test_a_record_of_an_unreadable_form_is_stray() -> None:
    broken = replace(ALL[0], sequence_id="", route="(unreadable)", offset=9)
    assert judge([*ALL, broken]).stray == (broken,)


def test_a_repeat_counts_as_a_copy_and_a_replay_does_not() -> None:
    assert judge([*ALL, replace(ALL[0], offset=9)]).copies == 1
    assert judge([*ALL, replace(ALL[0], offset=9, generation=1)]).copies == 0


def test_the_reader_s_own_repeat_of_an_offset_counts_nothing() -> None:
    assert judge([*ALL, ALL[0]]) == judge(ALL)


def test_a_dead_letter_stands_for_the_delivery_that_could_not_be() -> None:
    dead = replace(ALL[0], topic="t.dead", route="dead_letter", dead=True, meant_for="t.one", offset=0)
    verdict = judge([dead, *ALL[1:]])
    assert (verdict.lost, verdict.stray, verdict.dead_letters) == ((), (), 1)
    assert verdict.published["t.one"] == 1
    assert judge([dead, *ALL[2:]]).lost == (EXPECTED[1],), "it stands for one topic alone"


def test_a_dead_letter_of_a_result_that_could_not_be_read_stands_for_all_of_it() -> None:
    dead = replace(ALL[0], topic="t.dead", route="dead_letter", dead=True, offset=0)
    assert judge([dead, *ALL[2:]]).lost == ()


def test_topics_on_which_nothing_landed_are_listed() -> None:
    assert compare([], [], TOPICS).published == {"t.one": 0, "t.two": 0, "t.rest": 0}
