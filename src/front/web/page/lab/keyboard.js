// Keys: from row to row, to what is looked for, and what there is.

import { find } from "./common.js";

const IN_TEXT = "input, textarea, select, dialog, .view";

export function keyboard() {
  find("help").addEventListener("click", () => find("keys").showModal());
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
    case "?": find("keys").showModal(); return true;
    case "j": return step(1);
    case "k": return step(-1);
    case "g": return step(-Infinity);
    case "G": return step(Infinity);
    default: return false;
  }
}

function focus(field) {
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

// What stands out in each row that is shown is gone to.
function step(by) {
  const rows = [...document.querySelectorAll(".entry:not([hidden]) .open, .tree a")].filter((it) => it.checkVisibility());
  if (!rows.length) return focusView();
  const now = rows.indexOf(document.activeElement);
  const to = Math.max(0, Math.min(rows.length - 1, now < 0 ? (by > 0 && by !== Infinity ? 0 : by) : now + by));
  rows[to].focus();
  rows[to].scrollIntoView({ block: "nearest" });
  return true;
}

function focusView() {
  find("view")?.focus();
  return Boolean(find("view"));
}
