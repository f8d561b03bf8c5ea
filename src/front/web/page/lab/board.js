// One board: whether it is on, what it says last, and what has happened at its console.

import { ask, find, make } from "./common.js";
import { said, when } from "./acts.js";
import { feed } from "./feed.js";

const name = document.querySelector("[data-id]").dataset.id;
const path = `/boards/${encodeURIComponent(name)}/console`;
const MOST_EVENTS = 100;

async function power() {
  if (!find("outlet")) return;
  try {
    state((await ask(`${path}/outlet`)).state);
  } catch (error) {
    state(`? ${said(error)}`);
  }
}

function state(word) {
  find("outlet").textContent = `power ${word}`;
  find("outlet").className = `state ${word === "on" ? "good" : word === "off" ? "bad" : ""}`;
}

// What an event tells beside its kind.
function text({ time_us, offset, kind, who, ...rest }) {
  if (kind === "message" || kind === "note") return rest.text;
  if (kind === "power") return [rest.verb, rest.phase, rest.detail].filter(Boolean).join(", ");
  if (kind === "seen") return `${rest.what}: ${rest.line ?? ""}`;
  const told = Object.entries(rest).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return [kind.replaceAll("-", " "), ...told.map(([key, value]) => `${key} ${value}`)].join(", ");
}

async function timeline() {
  if (!find("timeline")) return;
  try {
    const events = (await ask(`${path}/events?from=1d`)).filter((it) => it.kind !== "input").slice(-MOST_EVENTS).reverse();
    const items = events.map((event) => {
      const item = make("li");
      const time = make("time", when(new Date(event.time_us / 1000)));
      const who = make("span", event.who ?? "", "hint");
      item.append(time, " ", text(event), " ", who);
      return item;
    });
    find("timeline").replaceChildren(...(items.length ? items : [make("li", "Nothing since yesterday.")]));
  } catch (error) {
    find("timeline").replaceChildren(make("li", said(error)));
  }
}

document.addEventListener("done", ({ detail }) => {
  if (detail.path.includes("/console/outlet/")) state(detail.answer.state);
  timeline();
});
document.addEventListener("heard", timeline);
feed((row) => { if (row.console === name && find("last")) find("last").textContent = row.last_line ?? ""; });
power();
timeline();
