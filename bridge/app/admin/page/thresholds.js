// Each label a route asks for: how probable it was, where the threshold stands, and what it would let through elsewhere.

import { ask, name as path } from "./api.js";
import { h, say, show, svg } from "./dom.js";
import { count, instant, percent, plural, signed } from "./format.js";

const WIDTH = 404;
const HEIGHT = 96;
const STEP = WIDTH / 101;
const REFRESH_MS = 4000;

export function thresholdsTab({ trigger, guard, signal }) {
  const intro = h("p", { class: "muted" });
  const grid = h("div", { class: "grid" });
  const more = h("button", { type: "button", hidden: true, on: { click: () => { pages += 1; load(); } } }, "Show more");
  const cards = new Map();
  let pages = 1;
  let loadedAt = 0;

  async function load() {
    loadedAt = Date.now();
    let after = "";
    for (let page = 0; page < pages; page += 1) {
      const list = await guard(() => ask(`${path(trigger)}/labels?limit=60${after ? `&after=${after}` : ""}`, { signal }));
      if (!list) return;
      for (const threshold of list.thresholds) {
        const key = JSON.stringify([threshold.id, threshold.route, threshold.label, threshold.min, threshold.max]);
        if (!cards.has(key)) {
          cards.set(key, card());
          grid.append(cards.get(key).element);
        }
        cards.get(key).set(threshold, list.counted);
      }
      after = list.next ?? "";
      more.hidden = !after;
      say(intro, introOf(list));
      if (!after) break;
    }
    if (!cards.size) show(grid, h("p", { class: "empty" }, "No route of this trigger asks for a label."));
  }

  load();
  return {
    element: h("div", {}, intro, grid, more),
    refresh: () => { if (Date.now() - loadedAt > REFRESH_MS) load(); },
  };
}

function introOf(list) {
  const left = list.left_out ? ` ${plural(list.left_out, "more threshold is", "more thresholds are")} not counted.` : "";
  if (!list.as_of) return `${list.owner || "The owner"} counts, and has told nothing yet.${left}`;
  const by = list.counted_here ? "" : `, as ${list.counted_by} told at ${instant(list.as_of)} UTC`;
  const of = list.counted === list.results ? plural(list.results, "result") : `a sample of ${count(list.counted)} of ${count(list.results)} results`;
  return `From ${of} since ${instant(list.since)} UTC${by}. Move a threshold to see what its route would take; nothing changes until you write it into the configuration.${left}`;
}

function card() {
  const bars = svg("g", {});
  const now = svg("line", { class: "now", y1: 0, y2: HEIGHT });
  const past = svg("rect", { class: "past", y: 0, height: HEIGHT });
  const handle = svg("g", { class: "handle" }, svg("line", { y1: 0, y2: HEIGHT }), svg("circle", { cy: 8, r: 6 }));
  const plot = svg("svg", { viewBox: `-6 -2 ${WIDTH + 12} ${HEIGHT + 20}`, role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "1" },
    past, bars, svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    [0, 0.25, 0.5, 0.75, 1].map((at) => svg("text", { x: at * 100 * STEP, y: HEIGHT + 14, class: "tick" }, String(at))), now, handle);
  const typed = h("input", { type: "number", min: "0", max: "1", step: "0.01", inputmode: "decimal" });
  const title = h("h3", {});
  const taken = h("p", { class: "takes" });
  const written = h("code", {});
  const back = h("button", { type: "button", class: "quiet", hidden: true }, "back");
  let threshold = null;
  let counted = 0;
  let at = null;

  function set(fresh, all) {
    const first = threshold === null;
    threshold = fresh;
    counted = all;
    show(title, fresh.negated ? h("span", { class: "tag" }, "not") : null, fresh.text, h("span", { class: "via" }, ` → ${fresh.route}`), fresh.shadow ? h("span", { class: "tag" }, "shadow") : null);
    plot.setAttribute("aria-label", `Threshold of ${fresh.text} for route ${fresh.route}`);
    typed.setAttribute("aria-label", `Minimum of ${fresh.text} for route ${fresh.route}`);
    drawBars();
    if (first) move(fresh.min);
    else drawThreshold();
  }

  function drawBars() {
    const most = Math.sqrt(Math.max(1, ...threshold.shown));
    show(bars, threshold.shown.map((n, place) => n && bar("shown", n, place, most)), threshold.decided.map((n, place) => n && bar("decided", n, place, most)));
  }

  function bar(kind, n, place, most) {
    const tall = (Math.sqrt(n) / most) * (HEIGHT - 6);
    return svg("rect", { class: kind, x: (place * STEP + 0.4).toFixed(2), width: (STEP - 0.8).toFixed(2), y: (HEIGHT - tall).toFixed(2), height: tall.toFixed(2) }, svg("title", {}, `${(place / 100).toFixed(2)}: ${count(n)}`));
  }

  function move(to) {
    at = Math.min(1, Math.max(0, Math.round(to * 100) / 100));
    drawThreshold();
  }

  function drawThreshold() {
    const x = at * 100 * STEP;
    const would = wouldTake(threshold, at);
    handle.setAttribute("transform", `translate(${x.toFixed(2)} 0)`);
    for (const end of ["x1", "x2"]) now.setAttribute(end, threshold.min * 100 * STEP);
    past.setAttribute("x", threshold.negated ? 0 : x);
    past.setAttribute("width", Math.max(0, threshold.negated ? x : WIDTH - x));
    plot.setAttribute("aria-valuenow", at);
    const moved = Math.abs(at - threshold.min) > 1e-9;
    const words = moved ? `would take ${count(would)} at ${at.toFixed(2)}: ${signed(would - threshold.taken)}` : `takes ${count(threshold.taken)} at ${threshold.min.toFixed(2)}`;
    plot.setAttribute("aria-valuetext", `${at.toFixed(2)}, ${words}`);
    show(taken, h("b", { class: moved ? "moved" : "" }, words), h("span", { class: "muted" }, ` of ${count(counted)} ${percent(would, counted) && `(${percent(would, counted)})`}`));
    say(written, `{label: ${yaml(threshold.text)}, min: ${at.toFixed(2)}}`);
    back.hidden = !moved;
    if (document.activeElement !== typed) typed.value = at.toFixed(2);
  }

  const dragged = (event) => {
    const box = plot.getBoundingClientRect();
    const scale = (WIDTH + 12) / box.width;
    move(((event.clientX - box.left) * scale - 6) / STEP / 100);
  };
  plot.addEventListener("pointerdown", (event) => { plot.setPointerCapture(event.pointerId); plot.focus(); dragged(event); });
  plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) dragged(event); });
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 }[event.key];
    const to = { Home: 0, End: 1, Escape: threshold.min }[event.key] ?? (by && at + by);
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  typed.addEventListener("input", () => { if (typed.value !== "" && Number.isFinite(Number(typed.value))) move(Number(typed.value)); });
  typed.addEventListener("blur", drawThreshold);
  back.addEventListener("click", () => { move(threshold.min); plot.focus(); });

  return { set, element: h("section", { class: "threshold" }, h("header", {}, title, h("span", { class: "spring" }), back, typed), plot, h("footer", {}, taken, written)) };
}

// The same sum as the service's: what this threshold decides between its old and its new place changes sides.
export function wouldTake({ decided, min, taken, negated }, at) {
  const from = (low) => decided.slice(bucket(low)).reduce((sum, n) => sum + n, 0);
  const moved = from(at) - from(min);
  return negated ? taken - moved : taken + moved;
}

const bucket = (p) => Math.min(100, Math.max(0, Math.floor(p * 100 + 1e-9)));
const yaml = (text) => (/^[\w][\w >/.-]*$/.test(text) ? text : JSON.stringify(text));
