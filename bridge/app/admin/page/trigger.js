// One trigger: how it stands, what can be done about it, and a tab for each question.

import { ask, name as path } from "./api.js";
import { deadTab } from "./dead.js";
import { askIn, h, say, show } from "./dom.js";
import { explainTab } from "./explain.js";
import { ago, count, rate, span } from "./format.js";
import { historyTab } from "./history.js";
import { replayTab } from "./replay.js";
import { routesTab } from "./routes.js";
import { setSpark, spark } from "./spark.js";
import { badge, setBadge } from "./states.js";
import { thresholdsTab } from "./thresholds.js";

const TABS = [
  ["routes", "Routes", routesTab],
  ["thresholds", "Thresholds", thresholdsTab],
  ["explain", "Explain", explainTab],
  ["replay", "Replay", replayTab],
  ["dead", "Dead letters", deadTab],
  ["history", "History", historyTab],
];
const REFRESH_MS = 2000;

export function triggerView(page, trigger, wanted) {
  const { live, session } = page;
  const state = badge();
  const reason = h("p", { class: "why" });
  const error = h("p", { class: "why last-error" });
  const figures = Object.fromEntries([["rate", "results / s"], ["lag", "lag"], ["results", "results"], ["dead", "dead letters"], ["generation", "generation"], ["owner", "owner"]]
    .map(([key, title]) => [key, { title, value: h("dd", { class: `f-${key}` }) }]));
  const line = spark(150, 34);
  const hold = h("button", { type: "button", on: { click: pause } }, "Pause …");
  const go = h("button", { type: "button", class: "primary", on: { click: resume } }, "Resume");
  const about = h("p", { class: "about muted" });
  const panel = h("section", { class: "panel" });
  const tabs = h("nav", { class: "tabs", "aria-label": "About this trigger" },
    TABS.map(([key, title]) => h("a", { href: `#/t/${encodeURIComponent(trigger)}/${key}`, "data-tab": key }, title)));
  const closing = new AbortController();
  const own = { ...page, trigger, detail: null, signal: closing.signal };
  let tab = null;
  let asking = false;
  let askedAt = 0;

  async function refresh() {
    if (asking || closing.signal.aborted) return;
    asking = true;
    try {
      own.detail = await page.guard(() => ask(path(trigger), { signal: closing.signal }));
      askedAt = Date.now();
    } finally {
      asking = false;
    }
    if (own.detail) draw();
  }

  function draw() {
    const { detail } = own;
    say(about, `${detail.project}/${detail.dataset} · ${detail.trigger} · ${detail.delivery.replaceAll("_", " ")}`);
    error.hidden = !detail.last_error;
    if (detail.last_error) say(error, `Last trouble ${ago(detail.last_error.at, live.now)}: ${detail.last_error.message} (${detail.last_error.code})`);
    tab?.refresh?.(detail);
  }

  function tick() {
    const row = live.rows.get(trigger);
    if (!row) return;
    setBadge(state, row.state);
    const next = row.next_attempt && row.state !== "idle" && row.state !== "running" ? ` Next attempt in ${span((Date.parse(row.next_attempt) - live.now) / 1000)}.` : "";
    say(reason, row.reason + next);
    reason.hidden = !reason.textContent;
    setSpark(line, row.series);
    const shown = { rate: rate(row.rate), lag: row.lag ? span(row.lag) : "none", results: count(row.results), dead: count(row.dead_letters), generation: String(row.generation), owner: row.owner || "nobody" };
    for (const [key, text] of Object.entries(shown)) say(figures[key].value, text);
    figures.dead.value.classList.toggle("some", row.dead_letters > 0);
    const isHeld = Boolean(row.paused_by);
    hold.hidden = isHeld;
    go.hidden = !isHeld && row.state !== "failed";
    tab?.tick?.(row);
    if (Date.now() - askedAt > REFRESH_MS) refresh();
  }

  function allow() {
    for (const button of [hold, go]) {
      button.disabled = !session.may;
      button.title = session.may ? "" : "needs the operate token";
    }
  }

  async function pause() {
    const why = h("input", { maxlength: "1000", placeholder: "month end, a wrong rule, …" });
    const given = await askIn({
      title: `Pause ${trigger}?`, confirm: "Pause", read: () => ({ reason: why.value }),
      body: [h("p", { class: "muted" }, "The pass in flight ends; nothing is lost. It stays paused over restarts until somebody resumes it."), h("label", {}, "Why (for whoever finds it paused)", why)],
    });
    if (given) await act("pause", given, `${trigger} is paused.`);
  }

  function resume() {
    return act("resume", undefined, `${trigger} goes on.`);
  }

  async function act(verb, body, done) {
    await page.guard(async () => {
      await ask(`${path(trigger)}/${verb}`, { method: "POST", body });
      page.notice(done);
      await refresh();
    });
  }

  function turn(key) {
    const [here, , make] = TABS.find(([each]) => each === key) ?? TABS[0];
    for (const link of tabs.children) {
      if (link.dataset.tab === here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    tab?.close?.();
    tab = make(own);
    show(panel, tab.element);
    if (own.detail) tab.refresh?.(own.detail);
    const row = live.rows.get(trigger);
    if (row) tab.tick?.(row);
  }

  live.addEventListener("change", tick);
  live.addEventListener("session", allow);
  allow();
  turn(wanted);
  tick();
  refresh();
  return {
    title: trigger, trigger, turn,
    element: h("article", { class: "trigger" },
      h("div", { class: "head" },
        h("div", { class: "name" }, h("h1", {}, trigger), state, h("span", { class: "spring" }), hold, go),
        about, reason, error,
        h("div", { class: "figures" }, line, h("dl", {}, Object.values(figures).map(({ title, value }) => h("div", {}, h("dt", {}, title), value))))),
      tabs, panel),
    close: () => { closing.abort(); live.removeEventListener("change", tick); live.removeEventListener("session", allow); tab?.close?.(); },
  };
}

