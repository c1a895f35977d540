// All triggers as rows: filtered, sorted, live. Only what can be seen is redrawn.

import { h, say, show } from "./dom.js";
import { count, rate, span } from "./format.js";
import { setSpark, spark } from "./spark.js";
import { badge, GROUPS, rankOf, setBadge } from "./states.js";

const COLUMNS = [
  ["name", "Trigger", (row) => row.name, 1],
  ["state", "State", (row) => rankOf(row.state), 1],
  ["rate", "Rate /s", (row) => row.rate, -1],
  ["spark", "Last minute", null, 1],
  ["lag", "Lag", (row) => row.lag, -1],
  ["results", "Results", (row) => row.results, -1],
  ["dead", "Dead", (row) => row.dead_letters, -1],
  ["generation", "Gen.", (row) => row.generation, -1],
  ["owner", "Owner", (row) => row.owner, 1],
];
const RESORT_MS = 5000;
const kept = { text: "", group: "all", sort: "name", turned: 1 };

export function listView(live) {
  const rows = new Map();
  const body = h("tbody", {});
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Show" });
  const none = h("p", { class: "empty", hidden: true });
  const heads = COLUMNS.map(([key, title, by]) => head(key, title, by !== null));
  const search = h("input", { type: "search", placeholder: "Filter by name, dataset, owner, reason", "aria-label": "Filter triggers", value: kept.text, on: { input: () => { kept.text = search.value; arrange(); } } });
  const table = h("table", { class: "triggers" }, h("caption", { class: "hidden" }, "Triggers"), h("thead", {}, h("tr", {}, heads)), body);
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.row.visible = isIntersecting;
      if (isIntersecting) target.row.draw();
    }
  }, { rootMargin: "200px" });
  let order = [];
  let sortedAt = 0;

  function head(key, title, sortable) {
    const inner = sortable ? h("button", { type: "button", on: { click: () => sortBy(key) } }, title) : title;
    return h("th", { scope: "col", class: `c-${key}`, "data-key": key }, inner);
  }

  function sortBy(key) {
    kept.turned = kept.sort === key ? -kept.turned : 1;
    kept.sort = key;
    arrange();
  }

  function arrange() {
    const text = kept.text.trim().toLowerCase();
    const [, , inGroup] = GROUPS.find(([key]) => key === kept.group);
    const [, , by, first] = COLUMNS.find(([key]) => key === kept.sort);
    const wanted = [...live.rows.values()].filter((row) => inGroup(row) && (!text || searched(row).includes(text)));
    wanted.sort((a, b) => first * kept.turned * compared(by(a), by(b)) || compared(a.name, b.name));
    const next = wanted.map((row) => row.name);
    if (next.length !== order.length || next.some((name, place) => name !== order[place])) {
      order = next;
      body.replaceChildren(...order.map((name) => rows.get(name).element));
    }
    sortedAt = Date.now();
    for (const th of heads) th.setAttribute("aria-sort", th.dataset.key !== kept.sort ? "none" : first * kept.turned > 0 ? "ascending" : "descending");
    none.hidden = order.length > 0;
    say(none, live.rows.size ? "No trigger fits this filter." : "Waiting for the first look at the triggers …");
  }

  function drawChips() {
    const all = [...live.rows.values()];
    const made = GROUPS.map(([key, title, inGroup]) => [key, title, all.filter(inGroup).length]);
    if (chips.children.length !== made.length) {
      show(chips, made.map(([key, title]) => h("button", { type: "button", "data-group": key, on: { click: () => { kept.group = key; drawChips(); arrange(); } } }, `${title} `, h("span", {}))));
    }
    made.forEach(([key, , n], place) => {
      const chip = chips.children[place];
      chip.setAttribute("aria-pressed", String(kept.group === key));
      say(chip.lastChild, count(n));
    });
  }

  function changed({ detail }) {
    let fresh = detail.state === "live" && order.length === 0;
    for (const row of live.rows.values()) {
      if (!rows.has(row.name)) {
        rows.set(row.name, new Row(row.name, live));
        rows.get(row.name).draw();
        seen.observe(rows.get(row.name).element);
        fresh = true;
      }
    }
    for (const name of rows.keys()) {
      if (!live.rows.has(name)) {
        seen.unobserve(rows.get(name).element);
        rows.delete(name);
        fresh = true;
      }
    }
    drawChips();
    const quiet = !table.matches(":hover") && !table.matches(":focus-within");
    if (fresh || (quiet && Date.now() - sortedAt > RESORT_MS)) arrange();
    for (const name of order) {
      const row = rows.get(name);
      if (row?.visible) row.draw();
    }
  }

  function step(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = [...body.querySelectorAll("a")];
    const place = links.indexOf(document.activeElement);
    if (!by || place < 0) return;
    event.preventDefault();
    links[Math.min(links.length - 1, Math.max(0, place + by))].focus();
  }

  body.addEventListener("keydown", step);
  live.addEventListener("change", changed);
  drawChips();
  changed({ detail: { state: "live" } });
  arrange();
  return {
    title: "Triggers",
    element: h("section", { class: "list" }, h("div", { class: "bar" }, h("h1", {}, "Triggers"), chips, h("span", { class: "spring" }), search), table, none),
    search,
    close: () => { live.removeEventListener("change", changed); seen.disconnect(); },
  };
}

const searched = (row) => `${row.name} ${row.dataset} ${row.owner} ${row.state} ${row.reason}`.toLowerCase();
const compared = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

class Row {
  visible = false;

  constructor(name, live) {
    this.name = name;
    this.live = live;
    this.link = h("a", { href: `#/t/${encodeURIComponent(name)}` }, name);
    this.dataset = h("small", {});
    this.badge = badge();
    this.reason = h("small", { class: "reason" });
    this.spark = spark();
    this.cells = Object.fromEntries(["rate", "lag", "results", "dead", "generation", "owner"].map((key) => [key, h("td", { class: `c-${key}` })]));
    const { rate: r, lag, results, dead, generation, owner } = this.cells;
    this.element = h("tr", { on: { click: (event) => { if (!event.target.closest("a") && !getSelection().toString()) location.hash = this.link.hash; } } },
      h("th", { scope: "row", class: "c-name" }, this.link, this.dataset),
      h("td", { class: "c-state" }, this.badge, this.reason), r, h("td", { class: "c-spark" }, this.spark), lag, results, dead, generation, owner);
    this.element.row = this;
  }

  draw() {
    const row = this.live.rows.get(this.name);
    if (!row) return;
    setBadge(this.badge, row.state);
    say(this.dataset, row.dataset);
    say(this.reason, row.reset ? `${row.reset.phase}, ${count(row.reset.replayed)} so far` : row.reason);
    this.reason.title = row.reason;
    setSpark(this.spark, row.series);
    say(this.cells.rate, rate(row.rate));
    say(this.cells.lag, row.lag ? span(row.lag) : "–");
    say(this.cells.results, count(row.results));
    say(this.cells.dead, row.dead_letters ? count(row.dead_letters) : "–");
    this.cells.dead.classList.toggle("some", row.dead_letters > 0);
    say(this.cells.generation, String(row.generation));
    say(this.cells.owner, row.owner || "nobody");
  }
}
