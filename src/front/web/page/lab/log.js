// The log of a job: what of it one wants to see, live, with a mark on a line.

import { ask, find } from "./common.js";
import { notice, said } from "./acts.js";
import { Lines } from "./lines.js";
import { refresh } from "./live.js";

// So long somebody who types is waited for, in milliseconds, and so long after a failure.
const GATHER = 150;
const AGAIN = 3000;
// A log that grows is shown anew so often at most.
const AT_MOST_EVERY = 150;
const SOURCES = 3;

const part = document.querySelector("[data-lines]");
const form = find("wanted");
let known = { lines: 0, found: 0, ended: false };
let action = null;
let polling = null;

// What is wanted, as the API has it.
function wanted() {
  const { grep, level, since, until } = form.elements;
  const sources = [...form.querySelectorAll("[name=source]:checked")].map((it) => it.value);
  const all = { grep: grep.value, level: level.value, action: action ?? "", since: seconds(since.value), until: seconds(until.value) };
  if (sources.length && sources.length < SOURCES) all.source = sources.join(",");
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

// 1:30 and 90 are the same.
function seconds(text) {
  if (!text.trim()) return "";
  const value = text.split(":").reduce((all, it) => all * 60 + Number(it), 0);
  return Number.isFinite(value) && value >= 0 ? String(value) : "";
}

function path(query) {
  return `${part.dataset.lines}?${new URLSearchParams({ board: part.dataset.board, ...wanted(), ...query })}`;
}

function told(got) {
  known = got;
  const count = (n) => n.toLocaleString();
  const some = Object.keys(wanted()).length > 0;
  find("told-lines").textContent = some ? `${count(got.found)} of ${count(got.lines)} lines` : `${count(got.lines)} lines`;
  find("told-lines").dataset.found = got.found;
  find("clear").hidden = !some;
}

const lines = part && new Lines({ view: find("view"), space: find("space"), lines: find("lines") }, (query) => ask(path(query)), told);

// The line of the address, from 0.
function ofAddress() {
  const found = /^#L(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) - 1 : null;
}

async function look(line = ofAddress()) {
  try {
    notice("");
    lines.marked = line;
    const got = await lines.begin({ line, end: line === null && find("follow").checked });
    if (!got) return;
    if (line !== null && lines.row(got.place)?.line !== line && got.lines > line) {
      notice(`Line ${line + 1} is not among those that are shown.`);
    }
    follow();
  } catch (error) {
    notice(said(error));
  }
}

// Waits for more, for as long as there may be more and somebody looks.
async function follow() {
  if (polling || known.ended || document.hidden) return;
  const own = new AbortController();
  const { signal } = own;
  polling = own;
  try {
    while (!known.ended && !signal.aborted) {
      const age = lines.age;
      const answer = await fetch(path({ known: known.lines, last: true, count: lines.seen + 20 }), { signal, cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const got = await answer.json();
      if (age !== lines.age) continue;
      if (got.lines > known.lines) lines.grow(got, find("follow").checked);
      else told(got);
      await new Promise((later) => setTimeout(later, AT_MOST_EVERY));
    }
  } catch {
    if (!signal.aborted) setTimeout(follow, AGAIN);
  }
  if (polling !== own) return;
  polling = null;
  if (known.ended) refresh();
}

// The address has what is wanted, so that it can be given to somebody.
function remember() {
  const url = new URL(location.href);
  for (const key of ["grep", "level", "action", "since", "until", "source"]) url.searchParams.delete(key);
  for (const [key, value] of Object.entries(wanted())) url.searchParams.set(key, value);
  history.replaceState(null, "", url);
}

function recall() {
  const query = new URLSearchParams(location.search);
  const { grep, level, since, until } = form.elements;
  grep.value = query.get("grep") ?? "";
  level.value = query.get("level") ?? "";
  since.value = query.get("since") ?? "";
  until.value = query.get("until") ?? "";
  const sources = query.get("source")?.split(",");
  if (sources) for (const it of form.querySelectorAll("[name=source]")) it.checked = sources.includes(it.value);
  only(query.get("action"));
}

function only(level) {
  action = level || null;
  find("action").hidden = !action;
  find("actionname").textContent = action ? `action ${action}` : "";
}

let gathering = 0;
function changed(at = lines.marked) {
  clearTimeout(gathering);
  gathering = setTimeout(() => { remember(); polling?.abort(); polling = null; look(at); }, GATHER);
}

function begin() {
  recall();
  form.addEventListener("input", () => changed());
  form.addEventListener("submit", (event) => { event.preventDefault(); changed(); });
  find("noaction").addEventListener("click", () => { only(null); changed(); });
  find("clear").addEventListener("click", () => { form.reset(); only(null); changed(); });
  find("follow").addEventListener("change", () => { if (find("follow").checked) lines.to(lines.last); });
  // Who scrolls away from the end does not follow; who comes back does.
  find("view").addEventListener("wheel", () => { if (!lines.isAtEnd()) find("follow").checked = false; });
  find("view").addEventListener("marked", ({ detail }) => {
    const url = new URL(location.href);
    url.hash = `L${detail + 1}`;
    history.replaceState(null, "", url);
  });
  addEventListener("hashchange", () => { find("follow").checked = false; look(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { polling?.abort(); polling = null; } else follow();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-action]");
    if (!button) return;
    only(button.dataset.action);
    find("follow").checked = false;
    changed(null);
  });
  find("follow").checked = find("state").dataset.ended === "false" && ofAddress() === null;
  look();
  if (find("outline").dataset.read === "false") refresh(null, { whole: true });
}

if (part) begin();
