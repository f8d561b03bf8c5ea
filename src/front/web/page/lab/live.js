// What has changed is asked for again, as the page itself, and put in the place of what was. The server says when: of
// this page's elements `data-about` names what it is about, and `data-every` how often it is asked for anyhow.

import { ask, find, toLogin } from "./common.js";
import { show } from "./acts.js";

// So long changes are gathered, in milliseconds, and so long it is waited before the server is tried again.
const GATHER = 250;
const AGAIN = 3000;
// So long one answer is waited for.
const LONGEST = 10000;
// More boards than this are not asked for by name.
const MOST = 50;

let stream = null;
let waiting = null;
let ids = new Set();
let busy = null;

// Asks for the page again, or for some of its rows. One after the other.
export function refresh(only = null, more = {}) {
  busy = (busy ?? Promise.resolve()).then(() => again(only, more)).catch(() => {});
  return busy;
}

async function again(only, more) {
  const url = new URL(location.href);
  url.hash = "";
  if (only) url.searchParams.set("only", only.join(","));
  for (const [key, value] of Object.entries(more)) url.searchParams.set(key, value);
  // One that is never answered must not hold up all that come after it.
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(LONGEST) });
  if (new URL(answer.url).pathname === "/login") return toLogin();
  // A board that was removed: what stands there is the last of it.
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  show(fresh);
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    // What the server has not read yet is shown as it was.
    if (now && now.dataset.read !== "false" && !part.isEqualNode(now) && !isTypedIn(part)) replace(part, now);
  }
  for (const list of document.querySelectorAll("[data-list]")) {
    const now = fresh.getElementById(list.id);
    if (now && only) rows(list, now, only);
    else if (now) all(list, now);
  }
  show(document);
  document.dispatchEvent(new CustomEvent("fresh"));
}

// What somebody writes at the moment stays.
const isTypedIn = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");

function replace(part, now) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const open = [...part.querySelectorAll("details")].map((it) => it.open);
  part.replaceWith(document.adoptNode(now));
  // What somebody has opened or shut stays so.
  now.querySelectorAll("details").forEach((it, at) => { if (at < open.length) it.open = open[at]; });
  if (!focused) return;
  const same = focused.getAttribute("href") ?? focused.dataset.ask;
  const found = same && now.querySelector(`[href="${CSS.escape(same)}"], [data-ask="${CSS.escape(same)}"]`);
  const row = focused.closest(".entry")?.id;
  const own = row && now.id !== row ? now.querySelector(`#${CSS.escape(row)}`) : now;
  (found || own?.querySelector("[tabindex]"))?.focus({ preventScroll: true });
}

// Puts a row where it belongs. Who is at it stays there.
function move(list, row, at) {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  list.insertBefore(row, at);
  focused?.focus({ preventScroll: true });
}

function rows(list, now, only) {
  for (const name of only) {
    const id = `board-${name}`;
    const [old, fresh] = [document.getElementById(id), now.querySelector(`#${CSS.escape(id)}`)];
    if (old && fresh) {
      if (!old.isEqualNode(fresh)) replace(old, fresh);
    } else if (fresh) {
      const next = [...list.children].find((row) => row.id > id);
      list.insertBefore(document.adoptNode(fresh), next ?? null);
    } else old?.remove();
  }
}

function all(list, now) {
  const known = new Map([...list.children].map((row) => [row.id, row]));
  let at = list.firstElementChild;
  for (const fresh of [...now.children]) {
    let row = known.get(fresh.id);
    known.delete(fresh.id);
    if (!row) {
      row = document.adoptNode(fresh);
    } else if (!row.isEqualNode(fresh) && !isTypedIn(row)) {
      const here = row === at;
      replace(row, fresh);
      row = fresh;
      if (here) at = row;
    }
    if (row === at) at = at.nextElementSibling;
    else move(list, row, at);
  }
  for (const gone of known.values()) gone.remove();
}

function heard(event) {
  const { about, id, what } = JSON.parse(event.data);
  const part = document.querySelector("[data-about]");
  if (!part?.dataset.about.split(" ").includes(about)) return;
  const own = part.dataset.id;
  if (own && about === "board" && id !== own) return;
  if (own && about === "request" && /^\d+$/.test(own) && id !== own) return;
  document.dispatchEvent(new CustomEvent("heard", { detail: { about, id, what } }));
  if (part.dataset.only) {
    // Of a list of boards, requests change what its boards say of themselves.
    if (about === part.dataset.only) ids.add(id);
    else ids.add("");
  }
  waiting ??= setTimeout(() => {
    const names = [...ids].filter(Boolean);
    const some = part.dataset.only && names.length && names.length <= MOST && !ids.has("");
    [waiting, ids] = [null, new Set()];
    refresh(some ? names : null);
  }, GATHER);
}

function connect() {
  if (stream || document.hidden || !document.querySelector("[data-about]")) return;
  stream = new EventSource("/events");
  // What has changed before it was there is not told.
  stream.addEventListener("open", () => { say(""); refresh(); });
  stream.addEventListener("message", heard);
  stream.addEventListener("error", async () => {
    if (stream?.readyState !== EventSource.CLOSED) return say("not connected");
    stream = null;
    say("not connected");
    setTimeout(connect, AGAIN);
    // Who is not let in any more logs in again.
    await ask("/whoami").catch(() => {});
  });
}

function say(text) {
  find("link").textContent = text;
  find("link").className = text ? "state bad" : "state";
}

export function live() {
  connect();
  // A page that nobody sees takes none of the few connections that a browser has to a server.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return connect();
    stream?.close();
    stream = null;
  });
  tick();
}

async function tick() {
  const every = Number(document.querySelector("[data-every]")?.dataset.every ?? 0);
  if (!every) return;
  await new Promise((later) => setTimeout(later, every));
  const over = document.querySelector("[data-live][data-ended]")?.dataset.ended === "true";
  if (over) return;
  if (!document.hidden) await refresh();
  tick();
}
