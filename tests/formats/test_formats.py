"""D17: what is kept outside the process is read by the release before, by this one and by the next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema
import pytest

from bridge import __version__
from bridge.adapters.kafka.control_format import UnknownCommandError, command_of
from bridge.adapters.kafka.state_format import StateRecord, position_of, standings_of
from bridge.adapters.kafka.status_format import counts_in, report_of
from bridge.app.record_schema import record_schema
from bridge.consumer import DeadLetter, Record, complete_up_to, parse
from bridge.domain.commands import Command
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing
from bridge.domain.status import Report
from tests.formats.scenario import (
    COMMANDS,
    COUNTS,
    NAME,
    POSITION,
    REPORTS,
    SHARED,
    SHARED_NAME,
    STANDING,
    WRITTEN,
    Kept,
    recorded,
    versions,
)

VERSIONS = versions()
MAPS = frozenset({"records", "published", "dead_letters", "shadowed"})
"""Members whose keys are data, not fields."""


def test_this_release_is_recorded() -> None:
    assert VERSIONS[-1] == __version__.rpartition(".")[0], "python -m tests.formats"


@pytest.mark.parametrize("name", WRITTEN)
def test_a_format_does_not_change_unnoticed(name: str) -> None:
    """`python -m tests.formats` records a change, once it is clear that the release before reads it."""
    assert WRITTEN[name]() == recorded(VERSIONS[-1], name)


@pytest.mark.parametrize("version", VERSIONS)
def test_old_state_is_read(version: str) -> None:
    assert_state_is_read(recorded(version, "state"))


def assert_state_is_read(kept: Iterable[Kept]) -> None:
    records = [StateRecord(key=one.key.encode(), value=one.value.encode()) for one in kept]
    assert standings_of(records) == {NAME: STANDING, TriggerName("fees"): Standing(), SHARED_NAME: SHARED}
    assert position_of(NAME, records) == POSITION
    complete = complete_up_to((record.key, record.value) for record in records)[NAME]
    assert (complete.trigger, complete.last, complete.records) == (POSITION.trigger, POSITION.last, POSITION.records)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_of_the_next_release_is_read_as_far_as_it_is_known(version: str) -> None:
    """Unknown members anywhere, a higher version, keys of other kinds: passed over, and nothing of ours forgotten."""
    others = [Kept("disputes/lease", "not even JSON", {}), Kept("", "1", {}), Kept("disputes/wish/2", "{}", {})]
    grown = next_ones(recorded(version, "state"))
    assert grown[0].value != recorded(version, "state")[0].value
    assert_state_is_read([*others, *grown, *others])


@pytest.mark.parametrize("version", VERSIONS)
def test_old_commands_are_read(version: str) -> None:
    assert commands_in(recorded(version, "control")) == list(COMMANDS)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_commands_of_the_next_release_are_read_as_far_as_they_are_known(version: str) -> None:
    """A kind that is not known here is told as such, never taken for another: its reader says so and goes on."""
    kept = recorded(version, "control")
    assert commands_in(next_ones(kept)) == list(COMMANDS)
    for stranger in (
        *(json.dumps({**one.body, "command": "drain"}) for one in kept),
        *(json.dumps({name: value for name, value in one.body.items() if name != "id"}) for one in kept),
        *("", "null", "[]", '{"command": "pause"}', "not even JSON"),
    ):
        with pytest.raises(UnknownCommandError):
            command_of(stranger.encode())


def commands_in(kept: Iterable[Kept]) -> list[Command]:
    return [command_of(one.value.encode()) for one in kept]


@pytest.mark.parametrize("version", VERSIONS)
def test_old_reports_are_read(version: str) -> None:
    """D19: replicas of both releases show each other's triggers while one is rolled out."""
    *reports, counts = recorded(version, "status")
    assert reports_in(reports) == list(REPORTS)
    assert counts_in(state_record(counts)) == COUNTS
    assert reports_in([counts]) == [None], "a release before counts passes them over"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reports_of_the_next_release_are_read_as_far_as_they_are_known(version: str) -> None:
    *reports, counts = next_ones(recorded(version, "status"))
    assert reports_in(reports) == list(REPORTS)
    assert counts_in(state_record(counts)) == COUNTS
    strange = [Kept(one.key, json.dumps({**one.body, "state": "pondering"}), {}) for one in reports]
    assert reports_in([*strange, Kept("fees", "not even JSON", {}), Kept("fees", "[]", {})]) == [None] * 4


def reports_in(kept: Iterable[Kept]) -> list[Report | None]:
    return [report_of(state_record(one)) for one in kept]


def state_record(one: Kept) -> StateRecord:
    return StateRecord(key=one.key.encode(), value=one.value.encode())


def next_ones(kept: Iterable[Kept]) -> list[Kept]:
    """As a next release might write them."""
    return [Kept(one.key, json.dumps(later(one.body)), {}) for one in kept]


def later(value: Any, name: str = "") -> Any:
    """As a next release might write it."""
    if isinstance(value, list):
        return [later(each) for each in value]
    if not isinstance(value, dict) or name in MAPS:
        return value
    grown = {key: later(each, key) for key, each in value.items()}
    if "version" in grown:
        grown["version"] += 1
    return {"earlier_member": [1, {"deep": None}], **grown, "later_member": {"deep": [True]}}


def records_in(kept: Iterable[Kept]) -> list[Record | DeadLetter]:
    return [
        parse(
            topic="t",
            partition=0,
            offset=offset,
            key=one.key.encode(),
            value=one.value.encode(),
            headers=[(name, content.encode()) for name, content in one.headers.items()],
        )
        for offset, one in enumerate(kept)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_old_records_are_read(version: str) -> None:
    assert_records_are_read(recorded(version, "records"))
    for one in recorded(version, "records"):
        jsonschema.validate(one.body, record_schema())


def assert_records_are_read(kept: Iterable[Kept]) -> None:
    read = records_in(kept)
    assert [record.route for record in read] == ["urgent", "unmatched", "dead_letter", "dead_letter", "dead_letter"]
    assert {record.generation for record in read} == {2}
    assert {record.trigger.name for record in read} == {NAME}
    assert len({record.id for record in read}) == len(read)
    dead = [record.error for record in read if isinstance(record, DeadLetter)]
    assert len(dead) == 3
    assert all(dead)
    results = [record for record in read if not isinstance(record, DeadLetter)]
    assert [record.comment["id"] for record in results] == ["1", "2"]
    assert results[0].matched[0].label == ("Urgent",)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_records_of_the_next_release_are_read_by_subscribers_of_this_one(version: str) -> None:
    assert_records_are_read(
        Kept(one.key, json.dumps(later(one.body)), {"ce_later": "1", **one.headers, "bridge_later": "x"})
        for one in recorded(version, "records")
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_today_has_all_that_an_older_reader_looks_for(name: str, version: str) -> None:
    """Every member and header of old records is still there, of the same kind."""
    before, now = shapes(recorded(version, name)), shapes(WRITTEN[name]())
    assert before.keys() <= now.keys()
    for place, kinds in before.items():
        assert kinds & now[place], place


def shapes(kept: Iterable[Kept]) -> dict[str, set[str]]:
    """Where something stands in any of these, and of what kinds it is."""
    found: dict[str, set[str]] = {}
    for one in kept:
        for place, kind in [
            *_shape(_body(one), one.key.rpartition("/")[2]),
            *((f"#{name}", "") for name in one.headers),
        ]:
            found.setdefault(place, set()).add(kind)
    return found


def _body(one: Kept) -> Any:
    return one.body if one.value.startswith("{") else one.value


def _shape(value: Any, place: str) -> Iterator[tuple[str, str]]:
    yield place, type(value).__name__
    if isinstance(value, dict) and place.rpartition(".")[2] not in MAPS:
        for key, each in value.items():
            yield from _shape(each, f"{place}.{key}")
    for each in value if isinstance(value, list) else ():
        yield from _shape(each, f"{place}[]")


@pytest.mark.parametrize("version", VERSIONS)
def test_marks_lie_where_older_releases_look_for_them(version: str) -> None:
    """Reading and writing the recorded keys on a real Redis: tests/contract/ledger."""
    assert recorded(version, "ledger") == WRITTEN["ledger"]()
