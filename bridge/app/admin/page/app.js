// The page: which view is shown, whether the connection lives, the token, the theme.

import { ask, Problem, token } from "./api.js";
import { h, say, show } from "./dom.js";
import { listView } from "./list.js";
import { Live } from "./live.js";
import { traceView } from "./trace.js";
import { triggerView } from "./trigger.js";

const THEMES = ["auto", "light", "dark"];
const main = document.getElementById("main");
const liveness = document.getElementById("live");
const notices = document.getElementById("notices");
const dialog = document.getElementById("token-dialog");
const live = new Live();
const session = { may: false, who: "" };
let view = null;

// What every view may use of the page around it.
const page = { live, session, notice, guard };

function route() {
  const [, kind, name, tab] = location.hash.split("/").map(decodeURIComponent);
  if (kind === "t" && view?.trigger === name) return view.turn(tab);
  view?.close();
  if (kind === "t" && name) view = triggerView(page, name, tab);
  else if (kind === "trace") view = traceView(page, name);
  else view = listView(live);
  for (const link of document.querySelectorAll("[data-nav]")) {
    const here = link.dataset.nav === (kind === "trace" ? "trace" : "list");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.title} · bridge`;
  show(main, view.element);
  return scrollTo(0, 0);
}

// Says it where everybody sees it; what failed stays until it is put away.
function notice(text, bad = false) {
  const one = h("p", { class: bad ? "bad" : "" }, text, " ", h("button", { type: "button", class: "quiet", "aria-label": "Put away", on: { click: () => one.remove() } }, "×"));
  notices.append(one);
  while (notices.children.length > 3) notices.firstChild.remove();
  if (!bad) setTimeout(() => one.remove(), 6000);
}

// Does it, and says in words what kept it from being done.
async function guard(what) {
  try {
    return await what();
  } catch (error) {
    if (error.name === "AbortError") return null;
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) askForToken(token.get() ? error.message : "");
    else notice(error.message, true);
    return null;
  }
}

live.addEventListener("change", ({ detail: { state, reason } }) => {
  const words = { live: "live", away: "away", refused: "refused" }[state];
  liveness.className = `live ${state === "live" ? "on" : state}`;
  say(liveness, words);
  liveness.title = reason;
  if (state === "refused") askForToken(token.get() ? reason : "");
  if (state === "live" && !session.who) learn();
});

// Listens whatever the first answer is: a bridge that is not there yet is waited for.
async function connect() {
  await learn();
  live.start();
}

async function learn() {
  const me = await guard(() => ask("/me"));
  session.who = me?.who ?? "";
  session.may = me?.may_operate ?? false;
  document.getElementById("session").hidden = session.who === "loopback";
  say(document.getElementById("session"), session.who && session.who !== "loopback" ? `${session.who} token` : "Token");
  document.body.classList.toggle("reader", Boolean(me) && !session.may);
  live.dispatchEvent(new Event("session"));
}

function askForToken(why = "") {
  if (dialog.open) return;
  const wrong = dialog.querySelector(".wrong");
  wrong.hidden = !why;
  say(wrong, why);
  dialog.querySelector("input").value = token.get();
  dialog.showModal();
}

dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(dialog.querySelector("input").value.trim());
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
dialog.querySelector("[data-forget]").addEventListener("click", () => useToken(""));
document.getElementById("session").addEventListener("click", () => askForToken());

function useToken(value) {
  token.set(value);
  dialog.querySelector("input").value = "";
  dialog.close();
  live.stop();
  connect();
}

const themed = document.getElementById("theme");
function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  localStorage.setItem("bridge.theme", theme);
  say(themed, { auto: "Auto", light: "Light", dark: "Dark" }[theme]);
  themed.setAttribute("aria-label", `Colours: ${theme}`);
  themed.dataset.theme = theme;
}
themed.addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(themed.dataset.theme) + 1) % THEMES.length]));
setTheme(THEMES.includes(localStorage.getItem("bridge.theme")) ? localStorage.getItem("bridge.theme") : "auto");

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, select, dialog") && view?.search) {
    event.preventDefault();
    view.search.focus();
  }
});
window.addEventListener("hashchange", route);
window.addEventListener("unhandledrejection", (event) => notice(`This page has a defect: ${event.reason?.message ?? event.reason}`, true));
route();
connect();
