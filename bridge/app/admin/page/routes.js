// Where results go: each route with its topic and what went along it.

import { h, say } from "./dom.js";
import { count, percent } from "./format.js";

export function routesTab() {
  const body = h("tbody", {});
  const rest = h("p", { class: "muted" });
  const rows = new Map();

  function refresh(detail) {
    for (const route of detail.routes) {
      if (!rows.has(route.name)) {
        const cells = [h("td", { class: "num" }), h("td", { class: "num muted" })];
        const bar = h("progress", { max: "1", "aria-hidden": "true", value: 0 });
        rows.set(route.name, { cells, bar, row: h("tr", {}, h("th", { scope: "row" }, route.name, route.shadow ? h("span", { class: "tag" }, "shadow") : null), h("td", { class: "mono" }, route.topic), cells, h("td", { class: "c-bar" }, bar)) });
        body.append(rows.get(route.name).row);
      }
      const { cells, bar } = rows.get(route.name);
      say(cells[0], count(route.published));
      say(cells[1], percent(route.published, detail.results));
      bar.value = detail.results ? route.published / detail.results : 0;
    }
    for (const [name, { row }] of rows) if (!detail.routes.some((route) => route.name === name)) { row.remove(); rows.delete(name); }
    const dead = Object.entries(detail.dead_letters).map(([reason, n]) => `${reason} ${count(n)}`).join(", ");
    say(rest, `Of ${count(detail.results)} results ${count(detail.unmatched)} fit no live route; ${count(detail.skipped_duplicates)} deliveries were skipped as repeats; ${count(detail.filtered)} comments were filtered by the platform.${dead ? ` Dead letters: ${dead}.` : ""} Counted since the owner's process began.`);
  }

  return {
    element: h("div", {},
      h("table", {}, h("caption", { class: "hidden" }, "Routes"),
        h("thead", {}, h("tr", {}, ["Route", "Topic"].map((title) => h("th", { scope: "col" }, title)), ["Records", "Share"].map((title) => h("th", { scope: "col", class: "num" }, title)), h("th", { scope: "col", class: "c-bar" }, h("span", { class: "hidden" }, "Share as a bar")))),
        body), rest),
    refresh,
  };
}
