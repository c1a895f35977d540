// The rows of all triggers as the events bring them, with the rate of the last minute.

import { events, Problem } from "./api.js";

export const POINTS = 60;
const WAITS_MS = [500, 1000, 2000, 5000, 10000];

export class Live extends EventTarget {
  rows = new Map();
  now = Date.now();
  #abort = null;

  // Listens until `stop`, and again after every interruption.
  async start() {
    this.stop();
    const abort = (this.#abort = new AbortController());
    let failures = 0;
    while (!abort.signal.aborted) {
      try {
        for await (const event of events(abort.signal)) {
          failures = 0;
          this.#take(event);
        }
        if (!abort.signal.aborted) this.#tell("away", "The bridge ended the connection");
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!(error instanceof Problem)) console.error(error);
        const refused = error.status === 401 || error.status === 403;
        this.#tell(refused ? "refused" : "away", error.message);
        if (refused) return;
      }
      const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)];
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  stop() {
    this.#abort?.abort();
  }

  #take({ kind, data }) {
    if (kind === "trouble") {
      this.#tell("away", data.message);
      return;
    }
    this.now = Date.parse(data.at);
    if (kind === "snapshot") for (const name of this.rows.keys()) if (!data.triggers.some((row) => row.name === name)) this.rows.delete(name);
    for (const name of data.gone) this.rows.delete(name);
    const changed = new Set();
    for (const row of data.triggers) {
      this.rows.set(row.name, { ...(this.rows.get(row.name) ?? fresh(row)), ...row });
      changed.add(row.name);
    }
    for (const row of this.rows.values()) advance(row, this.now);
    this.#tell("live", "", changed);
  }

  #tell(state, reason, changed = new Set()) {
    this.dispatchEvent(new CustomEvent("change", { detail: { state, reason, changed } }));
  }
}

function fresh(row) {
  return { series: [], rate: 0, countedAt: 0, counted: row.results };
}

// One point a second: results carried over since the last one. A count that fell is a new owner's.
function advance(row, now) {
  const seconds = (now - row.countedAt) / 1000;
  if (row.countedAt && seconds > 0) {
    const perSecond = Math.max(0, row.results - row.counted) / seconds;
    row.series.push(perSecond);
    if (row.series.length > POINTS) row.series.shift();
    const last = row.series.slice(-5);
    row.rate = last.reduce((sum, each) => sum + each, 0) / last.length;
  }
  row.counted = row.results;
  row.countedAt = now;
  row.lag = row.oldest_pending ? Math.max(0, (now - Date.parse(row.oldest_pending)) / 1000) : 0;
}
