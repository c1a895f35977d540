// Asks the admin API. The token stands in a header, never in a cookie: no other page can send it.

const TOKEN = "bridge.token";
const API = new URL("api/v1", document.baseURI).pathname;

export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const answer = await send(path, { method, body: body === undefined ? undefined : JSON.stringify(body), headers, signal });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export const name = (trigger) => `/triggers/${encodeURIComponent(trigger)}`;

async function send(path, { method, body, headers, signal }) {
  const given = token.get();
  let answer;
  try {
    answer = await fetch(API + path, {
      method, body, signal, cache: "no-store", credentials: "omit", redirect: "error",
      headers: {
        ...headers,
        ...(given ? { Authorization: `Bearer ${given}` } : {}),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The bridge does not answer. It may be restarting; this page tries again.");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer) {
  try {
    const { type, detail } = await answer.json();
    return new Problem(answer.status, String(type).replace("urn:bridge:", ""), sentence(detail));
  } catch {
    return new Problem(answer.status, "unknown", `The bridge answered ${answer.status} without a reason.`);
  }
}

function sentence(detail) {
  const text = String(detail || "It was refused without a reason").trim();
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// Server-sent events by fetch, since EventSource cannot carry the token. Ends when the answer does.
export async function* events(signal) {
  const answer = await send("/events", { method: "GET", headers: { Accept: "text/event-stream" }, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) yield parsed(part);
  }
}

function parsed(part) {
  const [kind, data] = part.split("\n");
  return { kind: kind.slice("event: ".length), data: JSON.parse(data.slice("data: ".length)) };
}
