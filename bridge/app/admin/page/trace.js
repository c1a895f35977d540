// Where a comment went.

import { ask } from "./api.js";
import { h, say, show } from "./dom.js";
import { instant, plural } from "./format.js";

export function traceView({ guard }, uid = "") {
  const closing = new AbortController();
  const search = h("input", { type: "search", required: true, placeholder: "the comment's uid, such as 18ba5ce699f8da1f.0123", "aria-label": "uid of a comment", value: uid, class: "mono wide", spellcheck: "false" });
  const words = h("p", { class: "muted", role: "status" }, "Finds the records of a comment on the topics of every trigger.");
  const body = h("tbody", {});
  const table = h("div", { class: "scroll", hidden: true }, h("table", {}, h("thead", {}, h("tr", {}, ["Written (UTC)", "Trigger", "Route", "Gen.", "Topic", "Partition", "Offset", ""].map((title) => h("th", { scope: "col" }, title)))), body));

  async function find() {
    say(words, "Reading the topics …");
    const found = await guard(() => ask(`/comments/${encodeURIComponent(search.value.trim())}/deliveries?limit=100`, { signal: closing.signal }));
    if (!found) {
      say(words, "It could not be looked for.");
      return;
    }
    show(body, found.deliveries.map((each) => h("tr", {}, h("td", {}, instant(each.written_at)), h("td", {}, each.trigger), h("td", {}, each.route), h("td", { class: "num" }, each.generation), h("td", { class: "mono" }, each.topic), h("td", { class: "num" }, each.partition), h("td", { class: "num" }, each.offset), h("td", {}, each.reason ? h("span", { class: "tag" }, `dead: ${each.reason}`) : null))));
    table.hidden = found.deliveries.length === 0;
    const since = found.searched_since ? ` Everything since ${instant(found.searched_since)} UTC was read.` : "";
    say(words, `${found.deliveries.length ? plural(found.deliveries.length, "record") : "No record of it"}.${found.is_whole ? "" : since}`);
  }

  if (uid) find();
  return {
    title: "Trace", search,
    element: h("section", {}, h("h1", {}, "Trace a comment"), h("form", { class: "bar", on: { submit: (event) => { event.preventDefault(); const to = `#/trace/${encodeURIComponent(search.value.trim())}`; if (location.hash === to) find(); else location.hash = to; } } }, search, h("button", { class: "primary" }, "Find")), words, table),
    close: () => closing.abort(),
  };
}
