"""What is shown: the table of routes, reasons of one line, and no more of a mail than a line."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from bridge.adapters.clock import SystemClock
from bridge.app.demo.readback import SUBJECT_CHARS, _Comment, _Message, _one_line, _Text
from bridge.app.demo.scenario import label_scenario, sample_scenario
from bridge.app.demo.screen import ROUTES_SHOWN_MAX, Moment, Screen, because, route_table
from bridge.app.demo.story import EXAMPLES_MAX, Album
from bridge.app.demo.verdict import Seen

RECORD = Seen(topic="demo.fees", partition=0, offset=0, sequence_id="s", route="fees", generation=0, subject="A charge")


def printed(*what: object, width: int = 200) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(*what)
    return console.export_text()


def test_the_table_has_counts_shares_and_what_a_shadow_would_take() -> None:
    moment = Moment(
        state="throttled",
        reason="429 from the platform",
        results=200,
        by_route={"fees": 50, "unmatched": 8},
        shadowed={"delays-next": 7},
        dead_letters=1,
    )
    lines = printed(route_table(sample_scenario(), moment)).splitlines()
    assert "trigger mail: throttled (429 from the platform)" in lines[0]
    by_name = {line.split("│")[1].strip(): line for line in lines if line.count("│") > 3}
    assert "50" in by_name["fees"]
    assert "25%" in by_name["fees"]
    assert "would be 7" in by_name["delays-next"]
    assert "4%" in by_name["unmatched"]
    assert "1" in by_name["dead letters"]


def test_on_a_narrow_terminal_the_figures_stay() -> None:
    moment = Moment(state="idle", results=1000, by_route={"fees": 987}, shadowed={"delays-next": 1234})
    text = printed(route_table(sample_scenario(), moment), width=80)
    assert "987" in text
    assert "99%" in text
    assert max(map(len, text.splitlines())) <= 80


def test_of_very_many_routes_those_that_got_most_are_shown() -> None:
    scenario = label_scenario([(f"label {number}",) for number in range(100)])
    text = printed(route_table(scenario, Moment(state="running", results=9, by_route={"label-77": 9})))
    assert "label-77" in text
    assert text.count("demo.label-") == ROUTES_SHOWN_MAX
    assert f"{ROUTES_SHOWN_MAX} of 100" in text


def test_each_kind_of_record_has_its_reason() -> None:
    assert because(replace(RECORD, why=(("Fees > Refund", 0.912, 0.5),))) == "Fees > Refund 0.91 (wanted 0.5)"
    dead = replace(RECORD, dead=True, error="too_large", meant_for="demo.fees")
    assert because(dead) == "too_large, meant for demo.fees"
    assert because(replace(RECORD, labels=(("Spam", 0.2),))).endswith("best were Spam 0.20")
    assert because(RECORD).endswith("saw no label")


def test_a_mail_is_shown_by_one_short_line() -> None:
    long = _Comment(messages=[_Message(subject=_Text("two\nlines " + "and more " * 40))])
    assert "\n" not in _one_line(long)
    assert len(_one_line(long)) == SUBJECT_CHARS
    assert _one_line(_Comment(messages=[_Message(body=_Text("only a body"))])) == "only a body"
    assert _one_line(_Comment(messages=[_Message()], uid="ab.01")) == "comment ab.01"
    assert _one_line(_Comment()) == ""


def test_the_album_keeps_the_first_of_each_route_and_always_the_odd_ones() -> None:
    album = Album()
    scenario = sample_scenario()
    for number, route in enumerate([*(route.name for route in scenario.routes), "unmatched", "dead_letter", "fees"]):
        album.add(replace(RECORD, route=route, offset=number))
    chosen = album.examples(scenario)
    assert len(chosen) == EXAMPLES_MAX
    assert {"unmatched", "dead_letter"} <= {seen.route for seen in chosen}


def test_markup_in_what_others_wrote_is_no_markup() -> None:
    console = Console(width=100, record=True, file=StringIO())
    screen = Screen(console, SystemClock())
    screen.explain([replace(RECORD, subject="[bold]no[/] [/wrong]")])
    screen.say("[/x]")
    assert "[bold]no[/] [/wrong]" in console.export_text()
