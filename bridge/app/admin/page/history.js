// Who did what.

import { ask, name as path } from "./api.js";
import { h, show } from "./dom.js";
import { instant } from "./format.js";

export function historyTab({ trigger, guard, signal }) {
  const body = h("tbody", {});
  const none = h("p", { class: "empty", hidden: true }, "Nobody has asked anything of this trigger yet.");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  let commands = [];

  async function load(after) {
    const list = await guard(() => ask(`${path(trigger)}/history?limit=100${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal }));
    if (!list) return;
    commands = after ? [...commands, ...list.commands] : list.commands;
    show(body, commands.map((each) => h("tr", {}, h("td", {}, instant(each.at)), h("td", {}, h("b", {}, each.kind)), h("td", {}, each.by), h("td", {}, each.reason || "–"), h("td", { class: "muted" }, each.detail))));
    none.hidden = commands.length > 0;
    more.hidden = !list.next;
    more.onclick = () => load(list.next);
  }

  load();
  return { element: h("div", {}, h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["When (UTC)", "What", "Who", "Why", "How it went"].map((title) => h("th", { scope: "col" }, title)))), body)), none, more) };
}
