// What is done on a page: buttons and forms say what they ask of the API. Nothing is done without this script, and so
// by no page of somebody else: the API takes no forms.

import { ask, find, remembered } from "./common.js";
import { refresh } from "./live.js";

// What a button says of itself; everything else of its data is for the API.
const ABOUT = ["ask", "sure", "yes", "force", "own", "others", "then", "why"];
const NUMBERS = ["keep_s", "boards"];
// A moment in a sentence of the server's.
const MOMENT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b/g;
// What stands against it that force overrides.
const YIELDS = ["held", "leased", "typing", "budget"];

// The name that was proved, or what one calls oneself where nobody logs in.
export const me = () => document.body.dataset.user || remembered("lava-user", "");

// Shows a part of a page as it is for who looks: times, own things, what passes the filter.
export function show(part) {
  for (const time of part.querySelectorAll("time[datetime]")) time.textContent = when(new Date(time.dateTime));
  for (const told of part.querySelectorAll("[data-told]")) told.textContent = told.textContent.replace(MOMENT, (at) => when(new Date(at)));
  for (const own of part.querySelectorAll("[data-own]")) own.hidden = own.dataset.own !== me() && own.dataset.others !== "true";
  const filter = find("filter");
  if (!filter || part !== document) return;
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  const rows = document.querySelectorAll("[data-list] > .entry");
  for (const row of rows) {
    const text = words.length ? row.textContent.toLowerCase() : "";
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  find("none").hidden = shown > 0 || rows.length === 0;
}

// By the reader's clock; the day where it is not today.
export function when(date) {
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
}

export function notice(text) {
  find("notice").textContent = text;
}

// What a failure says, and what to do about it.
export const said = (error) => [error.message, error.hint].filter(Boolean).join(". ");

export function act() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-ask]");
    if (button) start(button, fields(button.dataset));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-ask]");
    if (!form) return;
    event.preventDefault();
    start(form, fields(Object.fromEntries(new FormData(form)), []));
  });
  document.addEventListener("change", async (event) => {
    const { files, form, dataset } = event.target;
    if (files?.length && dataset.into) form.elements[dataset.into].value = await files[0].text();
  });
  find("no").addEventListener("click", () => find("ask").close(""));
  find("reason").addEventListener("input", () => { find("yes").disabled = !find("why").hidden && !find("reason").value.trim(); });
}

function fields(from, about = ABOUT) {
  const given = Object.entries(from).filter(([key, value]) => !about.includes(key) && value !== "");
  return Object.fromEntries(given.map(([key, value]) => [key, NUMBERS.includes(key) ? Number(value) : value]));
}

async function start(thing, body) {
  const { ask: what, sure, yes, why } = thing.dataset;
  if (thing.getAttribute("aria-busy") === "true") return;
  notice("");
  if (!me()) {
    notice("Say who you are first: your name is asked for at the top.");
    return void find("user")?.focus();
  }
  if (sure && !(await question({ text: sure, yes }))) return;
  if (why) {
    if (!(await question({ text: why, yes: "Say so", why: true }))) return;
    body.reason = find("reason").value.trim();
  }
  thing.setAttribute("aria-busy", "true");
  try {
    await doIt(thing, what, body);
  } finally {
    thing.removeAttribute("aria-busy");
  }
}

async function doIt(thing, what, body) {
  const [method, path] = what.split(" ");
  try {
    const answer = await send(method, path, body);
    document.dispatchEvent(new CustomEvent("done", { detail: { path, answer } }));
    const { then } = thing.dataset;
    if (then) return void location.assign(then.replace("{id}", answer?.id));
    thing.reset?.();
    await refresh();
  } catch (error) {
    const yields = error.status === 403 ? method === "DELETE" : YIELDS.includes(error.refusal);
    if (thing.dataset.force !== "true" || body.force || !yields) return notice(said(error));
    const force = await question({ text: "It was refused", told: said(error), yes: "Force", why: true });
    if (force) await doIt(thing, what, { ...body, force: true, reason: find("reason").value.trim() });
  }
}

function send(method, path, body) {
  const all = { ...body, user: me() };
  // Who has proved a name is known by that.
  if (document.body.dataset.user) delete all.user;
  if (method !== "DELETE") return ask(path, method, all);
  const query = new URLSearchParams(all).toString();
  return ask(query ? `${path}?${query}` : path, method);
}

// Asks in a dialog; whether it was answered with yes.
export function question({ text, told = "", why = false, yes = "Yes" }) {
  const dialog = find("ask");
  find("question").textContent = text;
  find("told").textContent = told;
  find("why").hidden = !why;
  find("reason").value = "";
  find("yes").textContent = yes;
  find("yes").disabled = why;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}
