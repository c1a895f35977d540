// Replays: asked for with a date, counted before they begin, followed while they run.

import { ask, name as path } from "./api.js";
import { askIn, h, say, show } from "./dom.js";
import { count, fromInput, instant, plural, toInput } from "./format.js";

const QUICK = [["1 hour", 3600], ["1 day", 86400], ["1 week", 604800]];
const REFRESH_MS = 1500;

export function replayTab({ trigger, guard, signal, notice, session, live }) {
  const from = h("input", { type: "datetime-local", step: "1", required: true });
  const until = h("input", { type: "datetime-local", step: "1" });
  const prefix = h("input", { maxlength: "248", placeholder: "none: the usual topics", spellcheck: "false", class: "mono" });
  const reason = h("input", { maxlength: "1000", placeholder: "for the history" });
  const skip = h("input", { type: "checkbox" });
  const submit = h("button", { class: "primary" }, "Replay …");
  const current = h("section", { class: "current", "aria-live": "polite" });
  const body = h("tbody", {});
  const none = h("p", { class: "empty" }, "No replay so far.");
  let loadedAt = 0;
  let following = null;

  async function load() {
    loadedAt = Date.now();
    const list = await guard(() => ask(`${path(trigger)}/resets?limit=50`, { signal }));
    if (!list) return;
    const open = list.resets.find((reset) => !["done", "failed", "cancelled"].includes(reset.phase));
    drawCurrent(open);
    none.hidden = list.resets.length > 0;
    show(body, list.resets.map(past));
  }

  function drawCurrent(reset) {
    submit.disabled = Boolean(reset) || !session.may;
    submit.title = reset ? "one at a time" : session.may ? "" : "needs the operate token";
    if (!reset) {
      if (following) notice("The replay is over.");
      following = null;
      show(current);
      return;
    }
    if (following?.id !== reset.id) {
      const bar = h("progress", { max: "1", "aria-label": "Replay" });
      const words = h("p", {});
      const cancel = h("button", { type: "button", class: "danger", disabled: !session.may, on: { click: () => callOff(reset) } }, "Cancel the replay");
      following = { id: reset.id, bar, words };
      show(current, h("h3", {}, `Replay from ${instant(reset.to_comment_created_at)} UTC`), bar, h("div", { class: "buttons" }, words, h("span", { class: "spring" }), cancel));
    }
    if (typeof reset.share_replayed === "number") following.bar.value = reset.share_replayed;
    else following.bar.removeAttribute("value");
    const share = typeof reset.share_replayed === "number" ? ` · about ${Math.round(100 * reset.share_replayed)} %` : "";
    say(following.words, `${reset.phase} · ${plural(reset.replayed, "result")} so far${share}${reset.replayed_to ? ` · at ${instant(reset.replayed_to)}` : ""}`);
  }

  async function callOff(reset) {
    const sure = await askIn({ title: "Cancel the replay?", confirm: "Cancel the replay", danger: true, body: h("p", {}, "What was replayed stays on its topics. The trigger goes back to where it stood before.") });
    if (!sure) return;
    await guard(async () => {
      await ask(`${path(trigger)}/resets/${encodeURIComponent(reset.id)}/cancel`, { method: "POST" });
      notice("The replay is being cancelled.");
    });
    load();
  }

  async function begin() {
    const wish = { to_comment_created_at: fromInput(from.value), reason: reason.value, allow_skip: skip.checked };
    if (until.value) wish.until = fromInput(until.value);
    if (prefix.value.trim()) wish.topic_prefix = prefix.value.trim();
    submit.disabled = true;
    const query = new URLSearchParams({ to: wish.to_comment_created_at, ...(wish.until ? { until: wish.until } : {}) });
    const preview = await guard(() => ask(`${path(trigger)}/resets/preview?${query}`, { signal }));
    submit.disabled = !session.may;
    const sure = await askIn({ title: `Replay ${trigger}?`, confirm: "Replay", body: [previewed(preview), summary(wish)] });
    if (!sure) return;
    await guard(async () => {
      await ask(`${path(trigger)}/resets`, { method: "POST", body: wish, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` } });
      notice("The replay is asked for.");
    });
    load();
  }

  function summary(wish) {
    const rows = [["From", `${instant(wish.to_comment_created_at)} UTC, by upload time`], ["Until", wish.until ? `${instant(wish.until)} UTC, then back to where it stands` : wish.topic_prefix ? "what is published by now, then back to where it stands" : "it has caught up"], ["Topics", wish.topic_prefix ? `with ${wish.topic_prefix} in front` : "the usual ones"], ["Reason", wish.reason || "none given"]];
    return h("dl", { class: "pairs" }, rows.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value))), wish.allow_skip ? h("div", {}, h("dt", {}, "Skips"), h("dd", { class: "some" }, "results nobody has got yet are left out for good")) : null);
  }

  live.addEventListener("session", load);
  load();
  const field = (title, input, note) => h("label", {}, title, input, note ? h("small", { class: "muted" }, note) : null);
  return {
    element: h("div", {},
      current,
      h("form", { class: "fields", on: { submit: (event) => { event.preventDefault(); begin(); } } },
        h("div", {}, field("From (UTC)", from, "comments uploaded at or after"),
          h("div", { class: "quick", role: "group", "aria-label": "From" }, QUICK.map(([title, seconds]) => h("button", { type: "button", on: { click: () => { from.value = toInput(new Date(live.now - seconds * 1000)); } } }, `${title} back`)))),
        field("Until (UTC)", until, "optional; comments uploaded before"),
        field("Topic prefix", prefix, "optional; replays beside the usual topics"), field("Reason", reason),
        h("label", { class: "check" }, skip, " May skip results nobody has got yet (a replay that goes forward)"),
        h("div", { class: "buttons" }, submit)),
      h("h3", {}, "Replays so far"),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["Asked", "From", "Until", "Phase", "Replayed", "Gen.", "By", "Reason"].map((title) => h("th", { scope: "col", class: ["Replayed", "Gen."].includes(title) ? "num" : "" }, title)))), body)), none),
    tick: () => { if (Date.now() - loadedAt > REFRESH_MS) load(); },
    close: () => live.removeEventListener("session", load),
  };
}

function previewed(preview) {
  if (!preview) return h("p", { class: "some" }, "How much would be replayed could not be counted.");
  const about = preview.is_estimate ? "About " : "";
  return h("div", { class: "count" }, h("p", { class: "big" }, `${about}${count(preview.results)}`, h("span", {}, ` ${preview.results === 1 ? "result" : "results"} would be replayed`)), h("p", { class: "muted" }, preview.counted));
}

function past(reset) {
  return h("tr", {}, h("td", {}, instant(reset.requested_at)), h("td", {}, instant(reset.to_comment_created_at)), h("td", {}, instant(reset.until) || "–"),
    h("td", { title: reset.error, class: reset.phase === "failed" ? "some" : "" }, reset.error ? `${reset.phase}: ${reset.error}` : reset.phase), h("td", { class: "num" }, count(reset.replayed)), h("td", { class: "num" }, reset.generation ?? "–"), h("td", {}, reset.requested_by), h("td", {}, reset.reason || "–"));
}
