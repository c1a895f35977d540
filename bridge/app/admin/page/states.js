// The states of a trigger: how worrying each is, and how it is shown.

import { h, say } from "./dom.js";

const STATES = {
  failed: { tone: "bad", rank: 0, means: "stopped loudly; it needs somebody" },
  blocked: { tone: "warn", rank: 1, means: "something refuses it; it tries again" },
  throttled: { tone: "warn", rank: 2, means: "the platform asks it to wait" },
  stopped: { tone: "held", rank: 3, means: "no worker runs" },
  resetting: { tone: "busy", rank: 4, means: "a replay is being set up" },
  replaying: { tone: "busy", rank: 5, means: "results of the past come again" },
  starting: { tone: "calm", rank: 6, means: "its worker begins" },
  paused: { tone: "held", rank: 7, means: "held by an operator" },
  running: { tone: "good", rank: 8, means: "carrying results over" },
  idle: { tone: "good", rank: 9, means: "nothing waits" },
};
const UNKNOWN = { tone: "calm", rank: 6, means: "" };

export const GROUPS = [
  ["all", "All", () => true],
  ["trouble", "Trouble", (row) => ["bad", "warn"].includes(toneOf(row.state))],
  ["busy", "Replaying", (row) => toneOf(row.state) === "busy"],
  ["paused", "Held", (row) => toneOf(row.state) === "held"],
  ["well", "Well", (row) => ["good", "calm"].includes(toneOf(row.state))],
];

export const toneOf = (state) => (STATES[state] ?? UNKNOWN).tone;
export const rankOf = (state) => (STATES[state] ?? UNKNOWN).rank;

export function badge() {
  return h("span", { class: "state" }, h("i", { "aria-hidden": "true" }), h("b", {}));
}

export function setBadge(element, state) {
  const tone = `state ${toneOf(state)}`;
  if (element.className !== tone) element.className = tone;
  say(element.lastChild, state);
  element.title = (STATES[state] ?? UNKNOWN).means;
}
