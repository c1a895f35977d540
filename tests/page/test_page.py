"""The page at `/` in a real Chromium, over the real API: what an operator does, and what must not happen meanwhile."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bridge.app.admin.auth import Tokens
from bridge.domain.errors import Blocked
from bridge.domain.model import TriggerName
from bridge.domain.status import State
from bridge.engine.desk import Counted
from tests.page.canned import CannedDesk
from tests.page.conftest import PATIENCE_MS, Opens
from tests.page.stage import SCRIPT, Stage, mail

expect.set_options(timeout=PATIENCE_MS)
TOKENS = Tokens(read="read-token", operate="operate-token")
ONE = "#/t/disputes"
TABS = ("routes", "thresholds", "explain", "replay", "dead", "history")
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def figure(page: Page, key: str) -> str:
    return page.inner_text(f".f-{key}")


def test_every_trigger_is_a_row_with_its_state_and_what_it_does(opened: Opens) -> None:
    page = opened(Stage(desk=CannedDesk(20))).go()
    expect(page.locator("tbody tr")).to_have_count(20)
    states = page.locator("tbody .state b").all_inner_texts()
    assert sorted(states) == sorted([state.value for state in State] * 2)
    failed = page.locator("tbody tr", has_text="t-0009")
    expect(failed).to_contain_text("recent results are dead letters")
    expect(failed).to_contain_text("pod-0")
    replaying = page.locator("tbody tr", has_text="t-0007")
    expect(replaying).to_contain_text("1,234 so far")
    expect(replaying.locator(".c-rate")).not_to_have_text("0")
    expect(replaying.locator(".spark .line")).to_have_attribute("d", re.compile("^M.+L"))
    expect(page.locator("#live")).to_have_text("live")


def test_rows_are_filtered_and_sorted(opened: Opens) -> None:
    page = opened(Stage(desk=CannedDesk(20))).go()
    names = page.locator("tbody th a")
    expect(names).to_have_count(20)
    page.get_by_role("button", name="Trouble").click()
    expect(names).to_have_text(["t-0003", "t-0004", "t-0009", "t-0013", "t-0014", "t-0019"])
    page.get_by_role("button", name="State", exact=True).click()
    expect(names.first).to_have_text("t-0009")
    page.get_by_role("button", name=re.compile("^All")).click()
    page.keyboard.press("/")
    page.keyboard.type("month END")
    expect(names).to_have_text(["t-0005", "t-0015"])
    page.keyboard.type(" nothing like it")
    expect(page.locator(".empty")).to_have_text("No trigger fits this filter.")


def test_a_thousand_triggers_do_not_choke_it(opened: Opens) -> None:
    page = opened(Stage(desk=CannedDesk(1000))).go()
    expect(page.locator("tbody tr")).to_have_count(1000)
    busy_ms = page.evaluate(
        """async () => {
          let busy = 0;
          const add = (list) => { for (const each of list.getEntries()) busy += each.duration; };
          new PerformanceObserver(add).observe({ type: "longtask" });
          await new Promise((resolve) => setTimeout(resolve, 3000));
          return busy;
        }"""
    )
    assert busy_ms < 1500, "over half of its time is left to the person"
    page.get_by_label("Filter triggers").fill("t-0999")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_pause_asks_why_and_resume_goes_on(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(ONE)
    page.get_by_role("button", name="Pause …").click()
    dialog = page.get_by_role("dialog", name="Pause disputes?")
    dialog.get_by_role("textbox").fill("month end")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.locator(".head .state")).to_have_text("paused")
    expect(page.locator(".why").first).to_have_text("paused by loopback: month end")
    stage.upload(3)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".f-results")).to_have_text("3")
    expect(page.get_by_role("button", name="Pause …")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator(".panel tbody tr")).to_have_count(2)
    expect(page.locator(".panel tbody")).to_contain_text("month end")


def test_a_replay_is_counted_before_followed_while_and_listed_after(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(f"{ONE}/replay")
    stage.upload(120)
    stage.land(120)
    expect(page.locator(".f-results")).to_have_text("120")
    stage.source.pace_s = 0.4
    page.get_by_role("button", name="1 day back").click()
    page.get_by_label("Reason").fill("wrong rule")
    page.get_by_role("button", name="Replay …").click()
    dialog = page.get_by_role("dialog", name="Replay disputes?")
    expect(dialog).to_contain_text("120 results would be replayed")
    expect(dialog).to_contain_text("wrong rule")
    dialog.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("progressbar", name="Replay")).to_be_visible()
    expect(page.locator(".current")).to_contain_text(re.compile(r"replaying · [1-9]\d* results so far"))
    expect(page.get_by_role("button", name="Replay …")).to_be_disabled()
    row = page.locator(".panel tbody tr").first
    expect(row).to_contain_text("done")
    expect(row).to_contain_text("wrong rule")
    expect(row.locator("td.num")).to_have_text(["120", "1"])
    expect(page.locator(".f-generation")).to_have_text("1")


def test_a_replay_can_be_cancelled(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(f"{ONE}/replay")
    stage.upload(200)
    expect(page.locator(".f-results")).to_have_text("200")
    stage.source.pace_s = 0.5
    page.get_by_role("button", name="1 day back").click()
    page.get_by_label("Until (UTC)").fill(f"{datetime.now(UTC) - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Replay …").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(page.locator(".current")).to_contain_text("replaying")
    page.get_by_role("button", name="Cancel the replay").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the replay").click()
    expect(page.locator(".panel tbody tr").first).to_contain_text("cancelled")


def test_a_threshold_is_moved_and_says_what_it_would_take(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(f"{ONE}/thresholds")
    stage.upload(101)
    card = page.locator(".threshold", has_text="→ trades")
    slider = card.get_by_role("slider")
    expect(card.locator(".takes")).to_contain_text("of 101")
    counts = page.evaluate("fetch('api/v1/triggers/disputes/labels').then((answer) => answer.json())")
    trades = next(each for each in counts["thresholds"] if each["route"] == "trades")
    expect(card.locator(".takes")).to_contain_text(f"takes {trades['taken']} at 0.60")
    would = trades["taken"] + sum(trades["decided"][50:60])
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(card.locator(".takes")).to_contain_text(f"would take {would} at 0.50: +{would - trades['taken']}")
    expect(slider).to_have_attribute("aria-valuenow", "0.5")
    expect(card.locator("code")).to_have_text('{label: "Trade > *", min: 0.50}')
    card.get_by_role("spinbutton").fill("1")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    box = slider.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20, steps=4)
    page.mouse.up()
    assert 0.2 < float(slider.get_attribute("aria-valuenow") or 1) < 0.3
    card.get_by_role("button", name="back").click()
    expect(card.locator(".takes")).to_contain_text(f"takes {trades['taken']} at 0.60")


def test_counts_of_another_replica_are_shown_as_its_word_of_then(opened: Opens) -> None:
    """D19."""
    desk = CannedDesk(3)
    page = opened(Stage(desk=desk)).go("#/t/t-0001/thresholds")
    expect(page.locator(".panel")).to_contain_text("pod-1 counts, and has told nothing yet")
    taken = desk.counted(TriggerName("t-0001")).taken
    desk.told = Counted(
        taken=replace(taken, results=40, counted=40), by="pod-2", at=datetime(2026, 1, 5, 12, tzinfo=UTC)
    )
    page.reload()
    expect(page.locator(".panel")).to_contain_text("From 40 results since")
    expect(page.locator(".panel")).to_contain_text("as pod-2 told at 2026-01-05 12:00")
    expect(page.locator(".threshold .takes").first).to_contain_text("of 40")


def test_markup_in_a_comment_is_shown_and_not_run(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(f"{ONE}/explain")
    stage.upload(1, SCRIPT)
    page.get_by_role("button", name="Look again").click()
    expect(page.locator(".picks li")).to_have_count(1)
    page.locator(".picks li button").click()
    expect(page.locator(".comment pre")).to_have_text(SCRIPT)
    expect(page.locator(".verdict")).to_contain_text("Goes to")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img").count() == 0


def test_markup_cannot_be_made_even_on_purpose(opened: Opens) -> None:
    """The policy's own proof: it refuses what the page never does."""
    window = opened(Stage())
    page = window.go()
    refused = "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (error) { return error.name; } }"
    assert page.evaluate(refused) == "TypeError"
    assert len(window.complaints) == 1
    window.complaints.clear()


def test_a_pasted_result_is_explained_rule_by_rule(opened: Opens) -> None:
    page = opened(Stage()).go(f"{ONE}/explain")
    result = json.loads(mail(7, datetime.now(UTC)))
    result["labels"] = [{"name": ["Trade", "Settlement"], "probability": 0.7}]
    page.get_by_label("A result as JSON").fill(json.dumps(result))
    page.get_by_role("button", name="Explain").click()
    urgent = page.locator(".route", has_text="urgent does not hold")
    expect(urgent).to_contain_text("label Trade > Settlement 0.70, needs 0.80: 0.10 short")
    expect(urgent.locator(".flip")).to_contain_text("To hold: label Trade > Settlement")
    expect(page.locator(".route", has_text="trades takes it")).to_be_visible()
    page.get_by_label("A result as JSON").fill("{not json")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#notices")).to_contain_text("This is not JSON")
    page.get_by_label("A result as JSON").fill('{"comment": 17}')
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#notices")).to_contain_text("This is not a result: no_comment")


def test_dead_letters_are_read_decided_again_and_traced(opened: Opens) -> None:
    stage = Stage()
    stage.land(5)
    page = opened(stage).go(f"{ONE}/dead")
    expect(page.locator(".panel tbody tr")).to_have_count(3)
    expect(page.locator(".panel tbody")).to_contain_text("bad_labels")
    page.get_by_role("button", name="Decide them again …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 would go to their topics")
    dialog.get_by_role("button", name="Send them").click()
    expect(page.locator("#notices")).to_contain_text("2 went to their topics")
    assert [wish.dry_run for wish in stage.redrive.wishes] == [True, False]
    page.locator(".panel tbody a").first.click()
    expect(page.locator("main tbody tr")).to_have_count(1)  # until the page of the comment is there
    expect(page.locator("main tbody tr")).to_contain_text("dead: bad_labels")


def test_what_goes_wrong_is_said_in_words(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go(ONE)
    expect(page.locator("#live")).to_have_text("live")
    trouble = Blocked("fetch: the platform does not accept the token", code="unauthorized")
    stage.call(lambda: stage.source.go_down(trouble))
    expect(page.locator(".why").first).to_contain_text("the platform does not accept the token")
    page.get_by_role("link", name="Explain").click()
    expect(page.locator("#notices")).to_contain_text("Fetch: the platform does not accept the token.")
    page.goto(f"{stage.url}#/t/none")
    expect(page.locator("#notices")).to_contain_text("No trigger named 'none' is configured.")


def test_a_token_is_asked_for_kept_in_the_tab_and_tells_what_may_be_done(opened: Opens) -> None:
    stage = Stage(tokens=TOKENS)
    window = opened(stage)
    page = window.go(ONE)
    dialog = page.get_by_role("dialog", name="Token")
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_contain_text("This token is not known.")
    dialog.get_by_label("Token").fill("read-token")
    dialog.get_by_role("button", name="Use it").click()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.get_by_role("button", name="Pause …")).to_be_disabled()
    page.get_by_role("button", name="read token").click()
    dialog.get_by_label("Token").fill("operate-token")
    dialog.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("button", name="Pause …")).to_be_enabled()
    page.reload()
    expect(page.get_by_role("button", name="Pause …")).to_be_enabled()
    assert page.evaluate("JSON.stringify([localStorage, document.cookie])").find("operate-token") == -1
    other = window.context.new_page()
    other.goto(stage.url)
    expect(other.get_by_role("dialog", name="Token")).to_be_visible()


def test_it_is_walked_by_keyboard_alone(opened: Opens) -> None:
    stage = Stage()
    page = opened(stage).go()
    expect(page.locator("tbody tr")).to_have_count(1)
    tab_until(page, "disputes")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("disputes")
    tab_until(page, "Pause …")
    page.keyboard.press("Enter")
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    expect(page.locator(".why").first).to_have_text("paused by loopback: by hand")
    tab_until(page, "Thresholds")
    page.keyboard.press("Enter")
    expect(page.get_by_role("slider").first).to_be_visible()
    tab_until(page, "", role="slider")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one sees where one is"


def tab_until(page: Page, text: str, role: str = "") -> None:
    """Press Tab until the thing with this text, or of this role, has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([text, role]) => { const on = document.activeElement; return role ? on.getAttribute('role') === role"
            " : on.textContent.trim() === text }",
            [text, role],
        ):
            return
    raise AssertionError(f"40 tabs did not lead to {text or role}")


def test_four_hundred_pixels_are_wide_enough(opened: Opens) -> None:
    stage = Stage()
    stage.land(5)
    page = opened(stage, viewport={"width": 400, "height": 800}).go()
    stage.upload(20)
    for path in ("", *(f"{ONE}/{tab}" for tab in TABS), "#/trace", "docs"):
        page.goto(stage.url + path)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_load_state("networkidle") if path == "docs" else page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_read_with_ease(opened: Opens, scheme: str) -> None:
    """4.5 to 1 at least, for every text there is."""
    window = opened(Stage(desk=CannedDesk(20)), color_scheme=scheme)
    page = window.go()
    expect(page.locator("tbody tr")).to_have_count(20)
    assert page.evaluate(CONTRAST) == []
    stage = Stage()
    page = opened(stage, color_scheme=scheme).go(f"{ONE}/explain")
    stage.upload(5)
    page.get_by_role("button", name="Look again").click()
    page.locator(".picks li button").first.click()
    expect(page.locator(".verdict")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name=re.compile("Colours")).click()
    page.get_by_role("button", name=re.compile("Colours")).click() if scheme == "light" else None
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark, "the switch overrules the system"


def test_everything_that_is_touched_has_a_name(opened: Opens) -> None:
    stage = Stage()
    stage.land(5)
    page = opened(stage).go(ONE)
    stage.upload(20)
    for tab in TABS:
        page.goto(f"{stage.url}{ONE}/{tab}")
        expect(page.locator(".panel > div")).to_be_visible()
        page.wait_for_timeout(300)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, textarea, [role=slider]")]
              .filter((each) => each.checkVisibility())
              .filter((each) => !(each.textContent.trim() || each.getAttribute("aria-label") || each.labels?.length))
              .map((each) => each.outerHTML)"""
        )
        assert nameless == [], tab


def test_it_finds_its_way_back_when_the_service_returns(opened: Opens) -> None:
    stage = Stage()
    window = opened(stage)
    page = window.go()
    expect(page.locator("#live")).to_have_text("live")
    window.context.set_offline(True)
    stage.hang_up()
    expect(page.locator("#live")).to_have_text("away")
    window.context.set_offline(False)
    expect(page.locator("#live")).to_have_text("live")


def test_the_documentation_comes_from_here(opened: Opens) -> None:
    page = opened(Stage()).go("docs")
    expect(page.locator(".operation", has_text="/api/v1/triggers/{name}/resets/preview")).to_be_visible()
    page.locator(".operation", has_text="POST/api/v1/triggers/{name}/resets").first.click()
    expect(page.locator(".operation[open]")).to_contain_text("to_comment_created_at")
