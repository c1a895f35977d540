"""Every state of the small sizes, and that the search finds what is planted: each a flag of the model."""

from __future__ import annotations

import pytest

from bridge.domain.plan import DeliveryMode
from tests.model.__main__ import SMALL
from tests.model.search import searched
from tests.model.state import Bug, Setup

ONCE, LEAST = SMALL
OF_ONCE = {Bug.REUSED_PRODUCER, Bug.READ_FIRST, Bug.NO_FENCING, Bug.ANY_GENERATION, Bug.BY_TIME}
OF_LEAST = {Bug.MARK_FIRST, Bug.UNKNOWN_IS_ACKED, Bug.MARK_WITHOUT_GENERATION, Bug.UNREMEMBERED}


@pytest.mark.parametrize("setup", SMALL, ids=lambda setup: setup.mode.value)
def test_every_invariant_holds_in_every_state_and_each_can_be_brought_to_its_end(setup: Setup) -> None:
    """I1 to I5, I7, I9."""
    found = searched(setup)
    assert not found.wrong, found.told()
    assert found.states > 10_000


@pytest.mark.parametrize("bug", [bug for bug in Bug if bug not in OF_LEAST], ids=lambda bug: bug.name.lower())
def test_a_bug_planted_in_exactly_once_is_found(bug: Bug) -> None:
    assert searched(ONCE.with_bug(bug)).trace


@pytest.mark.parametrize("bug", [bug for bug in Bug if bug not in OF_ONCE], ids=lambda bug: bug.name.lower())
def test_a_bug_planted_in_at_least_once_is_found(bug: Bug) -> None:
    assert searched(LEAST.with_bug(bug)).trace


def test_a_way_to_a_broken_state_can_be_read() -> None:
    told = searched(Setup(mode=DeliveryMode.EXACTLY_ONCE).with_bug(Bug.ADVANCE_FIRST)).told()
    assert "owner 0: advances first" in told
    assert told.splitlines()[-1].strip().startswith("I1, I4: the position is behind 0 of generation 0")


def test_without_faults_and_take_overs_nothing_is_published_twice_in_either_mode() -> None:
    for mode in DeliveryMode:
        found = searched(Setup(mode=mode, faults=0, moves=0, resets=2))
        assert not found.wrong, found.told()
