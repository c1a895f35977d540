// Why a result goes where it goes: pasted or picked, explained rule by rule.

import { ask, name as path } from "./api.js";
import { h, show } from "./dom.js";
import { instant, probability } from "./format.js";

export function explainTab({ trigger, guard, signal, notice }) {
  const area = h("textarea", { rows: "12", spellcheck: "false", placeholder: '{"comment": {…}, "sequence_id": "…", "labels": […], "entities": […]}', "aria-label": "A result as JSON" });
  const picks = h("div", { class: "picks" });
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  let shown = [];

  async function look() {
    const found = await guard(() => ask(`${path(trigger)}/peek?limit=10`, { signal }));
    if (!found) return;
    shown = [["Waiting now", found.waiting], ["Passed lately", found.recent]];
    show(picks, shown.map(([title, results]) => [h("h3", {}, title), results.length ? h("ul", {}, results.map(pick)) : h("p", { class: "muted" }, "none")]));
  }

  function pick(one) {
    const words = one.result ? excerpt(one.result) : `left out: ${one.left_out}`;
    return h("li", {}, h("button", { type: "button", disabled: !one.result, on: { click: () => { area.value = JSON.stringify(one.result, null, 2); explain(); } } },
      h("span", { class: "excerpt" }, words), h("small", { class: "muted" }, instant(one.created_at)), h("small", { class: "excerpt mono muted" }, one.uid || one.sequence_id)));
  }

  async function explain() {
    let result;
    try {
      result = JSON.parse(area.value);
    } catch (error) {
      notice(`This is not JSON: ${error.message}.`, true);
      return;
    }
    const told = await guard(() => ask(`${path(trigger)}/explain`, { method: "POST", body: { result }, signal }));
    if (told) show(answer, comment(result), verdict(told), told.routes.map(routeOf));
  }

  look();
  return {
    element: h("div", { class: "split" },
      h("form", { on: { submit: (event) => { event.preventDefault(); explain(); } } },
        h("label", {}, "Paste a result, as a fetch or a record has it", area),
        h("div", { class: "buttons" }, h("button", { class: "primary" }, "Explain"), h("button", { type: "button", on: { click: look } }, "Look again")),
        h("p", { class: "muted" }, "Or pick one. Looking is a fetch that moves nothing."), picks),
      answer),
  };
}

function excerpt(result) {
  const [message] = result.comment?.messages ?? [];
  return String(message?.subject?.text ?? message?.body?.text ?? "").slice(0, 120);
}

function comment(result) {
  const messages = result.comment?.messages ?? [];
  const labels = [...(result.labels ?? [])].sort((a, b) => b.probability - a.probability).slice(0, 12);
  return h("section", { class: "comment" },
    messages.map((message) => [h("h3", {}, String(message.subject?.text ?? "No subject")), h("p", { class: "muted" }, [message.from, instant(message.sent_at)].filter(Boolean).join(" · ")), h("pre", {}, String(message.body?.text ?? "").slice(0, 4000))]),
    h("ul", { class: "labels" }, labels.map((label) => h("li", {}, h("progress", { max: "1", value: Math.min(1, Math.max(0, Number(label.probability) || 0)), "aria-hidden": "true" }), h("b", {}, probability(label.probability)), " ", [].concat(label.name ?? "").join(" > ")))));
}

function verdict(told) {
  const goes = told.topics.length ? ["Goes to ", told.topics.map((topic, place) => [place ? ", " : "", h("b", { class: "mono" }, topic)])] : ["No live route takes it."];
  return h("p", { class: "verdict" }, goes);
}

function routeOf(route) {
  const word = !route.holds ? "does not hold" : route.taken ? (route.shadow ? "would take it" : "takes it") : "holds, but an earlier route came first";
  return h("details", { open: true, class: `route ${route.taken ? "yes" : "no"}` },
    h("summary", {}, h("span", { class: "mark", "aria-hidden": "true" }, route.taken ? "✓" : "✗"), h("b", {}, route.name), ` ${word} `, h("span", { class: "mono muted" }, route.topic), route.shadow ? h("span", { class: "tag" }, "shadow") : null),
    h("ul", { class: "tree" }, condition(route.why)),
    route.why.flip_text ? h("p", { class: "flip" }, `To ${route.why.holds ? "stop" : "hold"}: ${route.why.flip_text}`) : null);
}

function condition(part) {
  return h("li", { class: part.holds ? "yes" : "no" }, h("span", { class: "mark", "aria-label": part.holds ? "holds:" : "does not hold:", role: "img" }, part.holds ? "✓" : "✗"), ` ${part.text}`,
    part.parts?.length ? h("ul", {}, part.parts.map(condition)) : null);
}
