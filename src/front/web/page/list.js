// The consoles that one may see, asked for again and again while somebody looks.

import { ask, find, make, whoAmI } from "./common.js";

const EVERY_MS = 3000;
let consoles = [];

function board(health) {
  if (!health) return "";
  const told = [];
  if (health.trouble) told.push([health.trouble.what, health.trouble.line].filter(Boolean).join(": "));
  if (health.mismatch) told.push(health.mismatch.replaceAll("-", " "));
  const idle = health.idle_ms;
  if (idle !== null && idle !== undefined) told.push(idle < 5000 ? `${health.bytes_per_s} bytes/s` : `quiet for ${span(idle / 1000)}`);
  return told.join("; ");
}

function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function row(console) {
  const link = make("a", console.name);
  link.href = `/view/${encodeURIComponent(console.name)}`;
  const name = make("th");
  name.scope = "row";
  name.append(link);
  const port = make("td", console.state === "open" ? console.port : `${console.port}: ${console.reason ?? console.state}`);
  if (console.state !== "open") port.className = "state bad";
  const users = console.sessions.map((it) => it.user + (it.mode === "spy" ? " (looks)" : it.mode === "exclusive" ? " (alone)" : ""));
  const row = make("tr");
  row.append(name, port, make("td", users.join(", ")), make("td", board(console.health)));
  return row;
}

function show() {
  const wanted = find("filter").value.toLowerCase();
  const shown = consoles.filter((it) => JSON.stringify([it.name, it.port, it.sessions.map((s) => s.user)]).toLowerCase().includes(wanted));
  const focused = document.activeElement?.getAttribute("href");
  find("consoles").replaceChildren(...shown.map(row));
  if (focused) find("consoles").querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  if (!shown.length) find("notice").textContent = consoles.length ? "No console is like that." : "There is no console that you may see.";
}

async function look() {
  try {
    if (!document.hidden) {
      consoles = await ask("/consoles");
      find("notice").textContent = "";
      show();
    }
  } catch (error) {
    find("notice").textContent = `The daemon does not answer (${error.message}); it is tried again.`;
  }
  setTimeout(look, EVERY_MS);
}

find("filter").addEventListener("input", show);
const session = await whoAmI(find("logout"));
find("who").textContent = session.user ?? "";
look();
