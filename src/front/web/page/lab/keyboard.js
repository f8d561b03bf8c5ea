// Keys: from row to row, to what is looked for, and which there are.

import { find } from "./common.js";

const IN_TEXT = "input, textarea, select, dialog, .view";

export function keyboard() {
  find("help").addEventListener("click", tell);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.key === "Escape" && event.target.matches?.("input[type=search]")) return event.target.blur();
    if (event.target.closest?.(IN_TEXT)) return;
    if (key(event.key)) event.preventDefault();
  });
}

function key(name) {
  switch (name) {
    case "/": return focus(find("filter") ?? find("grep"));
    case "?": return tell();
    case "Enter": return open();
    case "j": return step(1);
    case "k": return step(-1);
    case "g": return step(-Infinity);
    case "G": return step(Infinity);
    default: return false;
  }
}

// Of the keys those are told that do something on this page.
function tell() {
  const here = { rows: rows().length > 0 || find("view"), open: rows().some(link), look: find("filter") ?? find("grep") };
  for (const it of find("shortcuts").querySelectorAll("[data-for]")) it.hidden = !here[it.dataset.for];
  find("shortcuts").showModal();
  return true;
}

// What stands out in each row that is shown.
const rows = () => [...document.querySelectorAll(".entry:not([hidden]) .open, .tree a")].filter((it) => it.checkVisibility());

// What there is to open of a row.
const link = (it) => (it.matches("a") ? it : it.closest(".entry")?.querySelector("a"));

// A link is opened by the browser; a row that is none has one, perhaps.
function open() {
  const now = document.activeElement;
  if (!now.matches(".entry .open:not(a)") || !link(now)) return false;
  link(now).click();
  return true;
}

function focus(field) {
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

function step(by) {
  const all = rows();
  if (!all.length) return focusView();
  const now = all.indexOf(document.activeElement);
  const to = Math.max(0, Math.min(all.length - 1, now < 0 ? (by > 0 && by !== Infinity ? 0 : by) : now + by));
  all[to].focus();
  all[to].scrollIntoView({ block: "nearest" });
  return true;
}

function focusView() {
  find("view")?.focus();
  return Boolean(find("view"));
}
