// Numbers, spans and instants in words. Instants are UTC, as on the platform.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (n) => whole.format(n);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (part, all) => (all ? `${((100 * part) / all).toFixed(part && part / all < 0.1 ? 1 : 0)} %` : "");
export const probability = (p) => (typeof p === "number" ? p.toFixed(2) : String(p));
export const signed = (n) => (n > 0 ? `+${count(n)}` : n < 0 ? `−${count(-n)}` : "±0");

export function rate(perSecond) {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 100) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${(s / 3600).toFixed(s < 36000 ? 1 : 0)} h`;
  return `${count(Math.round(s / 86400))} d`;
}

export function instant(text) {
  if (!text) return "";
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text) : `${at.toISOString().slice(0, 19).replace("T", " ")}`;
}

export const ago = (text, now) => (text ? `${span((now - Date.parse(text)) / 1000)} ago` : "");

// What `datetime-local` wants and gives; its value is read as UTC.
export const toInput = (date) => date.toISOString().slice(0, 19);
export const fromInput = (value) => (value ? new Date(`${value}Z`).toISOString() : null);
