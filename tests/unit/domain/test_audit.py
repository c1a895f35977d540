"""The judge of the topics finds each kind of fault that is planted, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bridge.domain.audit import Auditor
from bridge.domain.audit_report import SAMPLES_MAX, Audited, Cause, FaultKind
from bridge.domain.model import Generation, SequenceId
from bridge.domain.position import Position
from bridge.domain.tenures import Promise, Window, hold_against
from bridge.domain.topic_record import TopicRecord, Writer
from tests.fakes.plans import REF
from tests.fakes.topic_records import FIRST, SECOND, a_record

ROUTES = {REF.identity: {"urgent"}}
ALL = Window(since_ms=0, until_ms=2**60, is_all_visible=True)


def an_auditor(*partitions: Iterable[TopicRecord]) -> Auditor:
    auditor = Auditor({REF.identity: "disputes"}, {REF.identity: 0})
    for records in partitions:
        auditor.take(records)
    return auditor


def judged(*partitions: Iterable[TopicRecord]) -> Audited:
    (audited,) = an_auditor(*partitions).findings()
    return audited


def a_promise(
    nth: int, count: int = 2, *, writer: Writer = FIRST, generation: int = 0, route: str = "urgent", ms: int = 1000
) -> Promise:
    position = Position(
        trigger=REF.identity,
        generation=Generation(generation),
        first=SequenceId(f"seq-{nth * count}"),
        last=SequenceId(f"seq-{nth * count + count - 1}"),
        batch_id=SequenceId(f"batch-{nth}"),
        records={route: count},
    )
    return Promise(position=position, writer=writer, nth=nth, written_ms=ms + nth)


def test_a_clean_log_is_fine() -> None:
    audited = judged([a_record(number) for number in range(50)], [a_record(n, topic="rpa.b") for n in range(0, 50, 2)])
    assert audited.is_fine
    assert (audited.trigger, audited.records, audited.results) == ("disputes", 75, 50)
    assert audited.is_current
    assert audited.lost is None
    assert audited.newest_created_at == "2020-06-01T13:00:49.000Z"


def test_a_copy_of_another_producer_has_a_cause() -> None:
    """I5: a crash between ack and mark, or a producer given up in doubt."""
    audited = judged([a_record(1), a_record(2), a_record(1, 3, writer=SECOND), a_record(2, 4, writer=SECOND)])
    assert audited.duplicates == {Cause.OTHER_PRODUCER: 2}
    assert audited.is_fine


def test_a_copy_of_the_same_producer_has_none() -> None:
    """I5."""
    audited = judged([a_record(1), a_record(1, 2)])
    assert audited.duplicates == {Cause.NONE: 1}
    assert not audited.is_fine
    (fault,) = audited.samples
    assert (fault.kind, fault.where, fault.ce_id) == (FaultKind.DUPLICATE, "rpa.urgent/0/2", a_record(1).ce_id)


def test_two_commits_of_one_delivery_are_a_defect_whoever_wrote_them() -> None:
    """I4."""
    audited = judged([a_record(1, transactional=True), a_record(1, 2, transactional=True, writer=SECOND)])
    assert audited.duplicates == {Cause.IN_TRANSACTIONS: 1}
    assert not audited.is_fine


def test_a_copy_in_another_partition_is_one_too() -> None:
    """Records without a key go where there is room."""
    first = [a_record(1, key=None, partition=1, written_ms=5_000)]
    audited = judged([a_record(1, key=None, written_ms=9_000)], first)
    assert audited.duplicates == {Cause.NONE: 1}
    assert audited.samples[0].where == "rpa.urgent/0/1"
    assert "4.000 s later" in audited.samples[0].detail


def test_the_same_result_on_two_topics_or_in_two_generations_is_no_copy() -> None:
    both = [a_record(1), a_record(1, generation=1, offset=2)]
    audited = an_auditor(both, [a_record(1, topic="rpa.b", route="b")]).findings()
    assert [each.generation for each in audited] == [0, 1]
    assert not any(each.duplicates for each in audited)


def test_disorder_within_a_key_is_found() -> None:
    """I9."""
    audited = judged([a_record(5), a_record(4, 6), a_record(7)])
    assert audited.out_of_order == 1
    assert "uploaded 1.000 s before" in audited.samples[0].detail
    assert not audited.is_fine


@pytest.mark.parametrize(
    "lane",
    [
        [a_record(5, key=b"thread-1"), a_record(4, 6, key=b"thread-2")],
        [a_record(5, key=None), a_record(4, 6, key=None)],
        [a_record(4, 1), a_record(5, 2), a_record(4, 3, writer=SECOND), a_record(5, 4, writer=SECOND)],
        [a_record(5), a_record(4, 6, redriven_from="rpa.dead/0/1")],
        [a_record(5), a_record(6, created=5)],
    ],
    ids=["other keys", "no keys", "repeats", "redriven late", "the same instant"],
)
def test_what_is_no_disorder(lane: list[TopicRecord]) -> None:
    """I9 is of first deliveries within a key; comments of one instant have no order that can be known."""
    assert judged(lane).out_of_order == 0


def test_keys_that_moved_between_partitions_are_told_not_judged() -> None:
    """A topic that grew: across partitions there is no order."""
    audited = judged([a_record(9)], [a_record(1, partition=1)])
    assert (audited.keys_moved, audited.out_of_order) == (1, 0)


def test_an_old_generation_behind_a_new_one_is_found() -> None:
    """I3: a worker that published with the generation of before."""
    old, new = an_auditor([a_record(1), a_record(2, generation=1), a_record(3)]).findings()
    assert (old.old_generation, new.old_generation) == (1, 0)
    assert old.samples[0].kind is FaultKind.OLD_GENERATION


def test_dead_letters_are_counted_by_reason() -> None:
    audited = judged([a_record(1, dead="too_large", topic="rpa.dead"), a_record(2, dead="bad_labels")])
    assert audited.reasons == {"too_large": 1, "bad_labels": 1}


def test_samples_are_bounded() -> None:
    audited = judged([a_record(number // 2, number) for number in range(200)])
    assert audited.duplicates[Cause.NONE] == 100
    assert len(audited.samples) == SAMPLES_MAX


def with_promises(
    records: Iterable[TopicRecord],
    before: list[Promise],
    after: list[Promise] | None = None,
    window: Window = ALL,
) -> Audited:
    auditor = an_auditor(records)
    hold_against(auditor, before, before if after is None else after, window, ROUTES)
    (audited,) = auditor.findings()
    return audited


def committed(*numbers: int, writer: Writer = FIRST) -> list[TopicRecord]:
    return [a_record(number, transactional=True, writer=writer) for number in numbers]


def test_what_position_records_promise_is_there() -> None:
    """I4 in exactly_once."""
    audited = with_promises(committed(0, 1, 2, 3), [a_promise(0), a_promise(1)])
    assert audited.is_fine
    assert (audited.lost, audited.positions, audited.complete_up_to) == (0, 2, "batch-1")


def test_a_record_that_was_promised_and_is_not_there_is_lost() -> None:
    audited = with_promises(committed(0, 1, 3), [a_promise(0), a_promise(1)])
    assert audited.lost == 1
    assert audited.samples[0].kind is FaultKind.LOST
    assert not audited.is_fine


def test_another_owners_records_do_not_make_up_for_it() -> None:
    audited = with_promises(
        [*committed(0, 1, 3), *committed(4, 5, 6, writer=SECOND)],
        [a_promise(0), a_promise(1), a_promise(0, writer=SECOND)],
        [a_promise(0), a_promise(1), a_promise(0, 3, writer=SECOND)],
    )
    assert audited.lost == 1


def test_a_record_no_position_speaks_of_is_unaccounted() -> None:
    audited = with_promises(committed(0, 1, 2), [a_promise(0)])
    assert (audited.lost, audited.unaccounted) == (0, 1)
    assert not audited.is_fine


def test_what_was_committed_while_the_topics_were_read_accuses_nobody() -> None:
    audited = with_promises(committed(0, 1, 2, 3), [a_promise(0)], [a_promise(0), a_promise(1)])
    assert audited.is_fine


def test_with_compacted_positions_only_a_lack_is_proven() -> None:
    assert with_promises(committed(0, 1, 2, 3), [a_promise(1)]).is_fine
    assert with_promises(committed(3), [a_promise(1)]).lost == 1


@pytest.mark.parametrize(
    "window",
    [
        Window(since_ms=2_000, until_ms=2**60, is_all_visible=True),
        Window(since_ms=0, until_ms=1_000, is_all_visible=True),
        Window(since_ms=0, until_ms=2**60, is_all_visible=False),
    ],
    ids=["began before", "ended behind", "hidden"],
)
def test_what_was_not_read_whole_is_not_judged(window: Window) -> None:
    audited = with_promises(committed(0), [a_promise(0), a_promise(1)], window=window)
    assert audited.lost is None
    assert audited.complete_up_to == "batch-1"


def test_a_trigger_whose_records_are_all_gone_is_judged_by_its_positions() -> None:
    auditor = an_auditor()
    hold_against(auditor, [a_promise(0)], [a_promise(0)], ALL, ROUTES)
    assert [each.lost for each in auditor.findings()] == [2]


def test_a_route_whose_topic_was_not_read_is_not_judged() -> None:
    """The configuration has changed since, and position records name routes, not topics."""
    audited = with_promises(committed(0, 1), [a_promise(0), a_promise(1, route="of-before")])
    assert (audited.lost, audited.unread_routes) == (0, {"of-before"})
    assert audited.is_fine


def test_a_route_of_before_that_was_found_is_judged() -> None:
    found = a_record(2, transactional=True, route="of-before", topic="rpa.old")
    audited = with_promises([*committed(0, 1), found], [a_promise(0), a_promise(1, route="of-before")])
    assert (audited.lost, audited.unread_routes) == (1, set())
