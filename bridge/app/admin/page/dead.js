// Dead letters: why each is one, and deciding them again.

import { ask, name as path } from "./api.js";
import { askIn, h, say, show } from "./dom.js";
import { count, instant, plural } from "./format.js";

const FATES = {
  redriven: "went to their topics", would_redrive: "would go to their topics", already_there: "are there already", no_route: "fit no route any more",
  still_dead: "would be dead letters again", not_recovered: "could not be recovered", not_acked: "were not acked; try again",
};

export function deadTab({ trigger, guard, signal, notice, session, live }) {
  const body = h("tbody", {});
  const words = h("p", { class: "muted", role: "status" }, "Reading the dead-letter topic …");
  const redrive = h("button", { type: "button", on: { click: askFirst } }, "Decide them again …");
  let found = 0;
  const again = h("button", { type: "button", on: { click: load } }, "Read again");

  async function load() {
    const list = await guard(() => ask(`${path(trigger)}/dead-letters?limit=100`, { signal }));
    if (!list) {
      say(words, "The dead letters could not be read.");
      return;
    }
    show(body, list.dead_letters.map(row));
    say(words, list.dead_letters.length === 0 && list.is_whole ? "No dead letters." : `${plural(list.dead_letters.length, "dead letter")}, newest first${list.is_whole ? "" : `; everything since ${instant(list.searched_since)} UTC was read, there may be older ones`}.`);
    found = list.dead_letters.length;
    allow();
  }

  function allow() {
    redrive.disabled = !session.may || found === 0;
    redrive.title = session.may ? "" : "needs the operate token";
  }

  async function askFirst() {
    redrive.disabled = true;
    say(words, "Looking what would become of them …");
    const look = await guard(() => ask(`${path(trigger)}/redrive`, { method: "POST", body: { dry_run: true }, signal }));
    redrive.disabled = false;
    say(words, "");
    if (!look) return;
    const some = Boolean(look.fates.would_redrive);
    const sure = await askIn({ title: "Decide the dead letters again?", confirm: some ? "Send them" : "I see", body: [fates(look), h("p", { class: "muted" }, "By the rules of now. What was sent before is not sent again; what fails again stays where it is.")] });
    if (!sure || !some) return;
    const done = await guard(() => ask(`${path(trigger)}/redrive`, { method: "POST", body: { dry_run: false } }));
    if (done) notice(Object.entries(done.fates).map(([fate, n]) => `${count(n)} ${FATES[fate] ?? fate}`).join(", ") || "There was nothing to send.");
    load();
  }

  live.addEventListener("session", allow);
  allow();
  load();
  return {
    element: h("div", {}, h("div", { class: "buttons" }, words, h("span", { class: "spring" }), again, redrive),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["Written (UTC)", "Reason", "Meant for", "Comment", "Stands at"].map((title) => h("th", { scope: "col" }, title)))), body))),
    close: () => live.removeEventListener("session", allow),
  };
}

function fates(report) {
  const found = Object.entries(report.fates);
  if (!found.length) return h("p", {}, "There is nothing to decide again.");
  return h("ul", { class: "plain" }, found.map(([fate, n]) => h("li", {}, h("b", {}, count(n)), ` ${FATES[fate] ?? fate}`)));
}

function row(letter) {
  return h("tr", {}, h("td", {}, instant(letter.written_at)), h("td", {}, h("b", {}, letter.reason), letter.message ? h("small", { class: "muted" }, ` ${letter.message}`) : null), h("td", { class: "mono" }, letter.original_topic || "–"),
    h("td", { class: "mono uid" }, letter.uid ? h("a", { href: `#/trace/${encodeURIComponent(letter.uid)}` }, letter.uid) : "unknown"), h("td", { class: "mono muted" }, `${letter.topic}/${letter.partition}/${letter.offset}`));
}
