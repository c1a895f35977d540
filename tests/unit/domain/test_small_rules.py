"""Backing off, watching for poison, instants, and the standing of a trigger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.backoff import (
    BEAT_S,
    BLOCKED_CAP_S,
    RETRY_AFTER_CAP_S,
    RETRY_CAP_S,
    backoff_s,
    poll_wait_s,
)
from bridge.domain.errors import Blocked, Retry, Throttled
from bridge.domain.instant import parse_instant
from bridge.domain.model import Generation
from bridge.domain.poison import PoisonWatch
from bridge.domain.replay import Step, failed, in_phase, next_step, released, replayed, would_skip
from bridge.domain.standing import RESET_HISTORY_MAX, Reset, ResetPhase, Standing
from bridge.domain.status import STUCK_AFTER_S, State, Status, is_stuck
from tests.fakes.results import a_batch, raw_result

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
jitters = st.floats(0, 1)


def a_reset(id_: str = "r1", phase: ResetPhase = ResetPhase.REQUESTED) -> Reset:
    return Reset(
        id=id_, to_comment_created_at=NOW - timedelta(days=1), requested_at=NOW, requested_by="operate", phase=phase
    )


@given(st.integers(1, 10_000), jitters)
def test_a_retry_waits_at_most_its_doubling_ceiling(failures: int, jitter: float) -> None:
    wait_s = backoff_s(Retry("x", code="x"), failures, jitter)
    assert 0 <= wait_s <= min(RETRY_CAP_S, 0.25 * 2.0 ** min(failures - 1, 20))


@given(st.integers(1, 10_000), jitters)
def test_what_somebody_must_change_is_asked_slowly_and_for_ever(failures: int, jitter: float) -> None:
    assert 1.0 <= backoff_s(Blocked("x", code="x"), failures, jitter) <= BLOCKED_CAP_S


@given(st.floats(0, 1e9), jitters)
def test_the_platforms_own_wish_is_a_lower_bound_up_to_a_cap(wish_s: float, jitter: float) -> None:
    assert backoff_s(Throttled("x", code="429", retry_after_s=wish_s), 1, jitter) >= min(wish_s, RETRY_AFTER_CAP_S)


@given(st.floats(0.05, 600), jitters, st.floats(0, 1e6))
def test_polls_never_come_later_than_the_interval_and_hardly_sooner(
    interval_s: float, jitter: float, now_s: float
) -> None:
    wait_s = poll_wait_s(interval_s, jitter, now_s)
    assert 0.87 * interval_s <= wait_s <= interval_s + 1e-6


@given(jitters, jitters)
def test_triggers_that_poll_within_a_beat_of_each_other_wake_together(one: float, other: float) -> None:
    first_s, second_s = (now_s + poll_wait_s(5.0, jitter, now_s) for now_s, jitter in ((100.013, one), (100.4, other)))
    assert abs(first_s - second_s) < 1e-6 or abs(first_s - second_s) > BEAT_S - 1e-6


def test_a_few_bad_results_are_no_trend() -> None:
    assert not PoisonWatch().after(10, 10).is_over(0.5)


def test_a_large_share_of_the_recent_results_is_one() -> None:
    watch = PoisonWatch().after(100, 0)
    assert not watch.is_over(0.5)
    for _ in range(3):
        watch = watch.after(100, 100)
    assert watch.is_over(0.5)


def test_the_watch_forgets_what_lies_outside_its_window() -> None:
    watch = PoisonWatch().after(1000, 1000).after(200, 0)
    assert watch.recent == ((200, 0),)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=30))
def test_the_watch_stays_small(batches: list[tuple[int, int]]) -> None:
    watch = PoisonWatch()
    for results, dead in batches:
        watch = watch.after(results, min(results, dead))
    assert sum(results for results, _ in watch.recent[1:]) < 200


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2020-06-03T16:05:00", datetime(2020, 6, 3, 16, 5, tzinfo=UTC)),
        ("2020-06-03T16:05:00Z", datetime(2020, 6, 3, 16, 5, tzinfo=UTC)),
        ("2011-12-11T01:02:03.000000+00:00", datetime(2011, 12, 11, 1, 2, 3, tzinfo=UTC)),
        ("", None),
        ("soon", None),
    ],
)
def test_instants_without_a_zone_are_utc(text: str, instant: datetime | None) -> None:
    assert parse_instant(text) == instant


def test_a_reset_goes_its_phases_in_order() -> None:
    standing = Standing().with_reset(a_reset())
    assert next_step(standing) is Step.HOLD
    standing = in_phase(standing, ResetPhase.HOLDING)
    assert next_step(standing) is Step.BEGIN
    standing = in_phase(standing, ResetPhase.RESETTING)
    assert next_step(standing) is Step.RESET_PLATFORM
    standing = released(standing, NOW)
    assert (next_step(standing), standing.generation) == (Step.REPLAY, 1)
    standing = replayed(standing, a_batch([raw_result(1)], is_end=True), NOW)
    assert next_step(standing) is Step.NOTHING
    assert standing.resets[0].phase is ResetPhase.DONE
    assert standing.resets[0].replayed == 1


def test_raising_the_generation_twice_for_one_reset_does_nothing() -> None:
    """D4: a crash between the platform's reset and the note of it repeats the step."""
    once = Standing().raised_by("r1")
    assert once.raised_by("r1") == once
    assert once.raised_by("r2").generation == Generation(2)


def test_a_refused_reset_leaves_the_generation() -> None:
    standing = failed(Standing().with_reset(a_reset(phase=ResetPhase.RESETTING)), "no", NOW)
    assert standing.generation == 0
    assert standing.open_reset is None


def test_a_replay_is_over_when_it_reaches_the_instant_of_the_reset() -> None:
    standing = released(Standing().with_reset(a_reset(phase=ResetPhase.RESETTING)), NOW)
    before = a_batch([raw_result(1, created_at=(NOW - timedelta(milliseconds=1)).isoformat())], is_end=False)
    at = a_batch([raw_result(2, created_at=NOW.isoformat())], is_end=False)
    assert replayed(standing, before, NOW).open_reset is not None
    assert replayed(standing, at, NOW).open_reset is None


def test_an_empty_page_ends_a_replay_but_a_filtered_one_does_not() -> None:
    standing = released(Standing().with_reset(a_reset(phase=ResetPhase.RESETTING)), NOW)
    assert replayed(standing, a_batch([]), NOW).open_reset is None
    assert replayed(standing, a_batch([], filtered=5), NOW).open_reset is not None


def test_a_reset_past_pending_results_skips_them() -> None:
    pending = a_batch([raw_result(1, created_at="2026-01-01T00:00:00Z")])
    assert would_skip(pending, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), NOW)
    assert not would_skip(pending, datetime(2026, 1, 1, tzinfo=UTC), NOW)
    assert would_skip(a_batch([]), NOW + timedelta(seconds=1), NOW)
    assert not would_skip(a_batch([]), NOW - timedelta(days=9), NOW)


def test_the_history_of_resets_is_bounded_and_keeps_the_newest() -> None:
    standing = Standing()
    for number in range(RESET_HISTORY_MAX + 5):
        standing = standing.with_reset(a_reset(f"r{number}", ResetPhase.DONE))
    assert len(standing.resets) == RESET_HISTORY_MAX
    assert standing.resets[-1].id == f"r{RESET_HISTORY_MAX + 4}"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2 * RESET_HISTORY_MAX), st.sampled_from(ResetPhase)), min_size=150, max_size=250)
)
def test_no_reset_under_way_is_ever_let_go_for_the_history(changes: list[tuple[int, ResetPhase]]) -> None:
    """I7: a hundred that were refused meanwhile would make the owner forget in the middle what it is doing."""
    standing, latest = Standing(), dict[str, ResetPhase]()
    for number, phase in changes:
        standing = standing.with_reset(a_reset(f"r{number}", phase))
        latest[f"r{number}"] = phase
        kept = {reset.id: reset.phase for reset in standing.resets}
        under_way = {id_ for id_, phase in latest.items() if not phase.is_over}
        assert kept.items() <= latest.items()
        assert under_way <= kept.keys()
        assert standing.resets[-1].id == f"r{number}"
        assert len(kept) == len(standing.resets)
        assert len(kept) == min(len(latest), max(RESET_HISTORY_MAX, len(under_way | {f"r{number}"})))


def test_a_reset_outlives_a_hundred_that_are_refused_meanwhile() -> None:
    standing = Standing().with_reset(a_reset("mine", ResetPhase.REPLAYING))
    for number in range(RESET_HISTORY_MAX + 5):
        standing = standing.with_reset(a_reset(f"r{number}", ResetPhase.FAILED))
    assert standing.open_reset == a_reset("mine", ResetPhase.REPLAYING)
    assert len(standing.resets) == RESET_HISTORY_MAX
    assert standing.resets[-1].id == f"r{RESET_HISTORY_MAX + 4}"


def test_a_worker_is_stuck_when_its_next_attempt_is_long_overdue() -> None:
    late = NOW + timedelta(seconds=STUCK_AFTER_S + 1)
    status = replace(Status(name="t"), last_progress=NOW)  # type: ignore[arg-type]
    assert not is_stuck(status, NOW + timedelta(seconds=STUCK_AFTER_S))
    assert is_stuck(status, late)
    assert not is_stuck(replace(status, next_attempt=late), late)
    assert not is_stuck(replace(status, state=State.STOPPED), late)
