// One console: the connection, the keyboard, and what is told beside the screen.

import { ask, clock, consoleName as name, consolePath, find, make, remember, remembered, whoAmI } from "./common.js";
import { controlled, keyText, pasteText } from "./keys.js";
import { Power } from "./power.js";
import { Screen } from "./screen.js";
import { Speech } from "./speech.js";

// A WebSocket message of ours has at most so many bytes.
const PIECE = 8192;
const MOST_EVENTS = 300;
// What a phone's keyboard finds to delete.
const FILLER = "\u200b";

const keys = find("keys");
const screen = new Screen({
  terminal: find("terminal"), history: find("history"), screen: find("screen"), past: find("past"), gap: find("gap"),
  cursor: find("cursor"), keys, probe: find("probe"),
});
const speech = new Speech(find("speech"));
const me = { user: undefined, session: undefined, right: "", mode: "rw" };
const power = new Power(name, () => ({ user: me.user, session: me.session, mayForce: me.right === "control" }));
let socket = null;
let tries = 0;
let over = false;
let asked = 0;
let sticky = false;
let wanted = "rw";

document.title = name;
find("name").textContent = name;

// --- the connection ---

function connect() {
  if (over) return;
  const size = room();
  const url = new URL(`${consolePath}/screen`, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const query = { mode: wanted, rows: size.rows, cols: size.cols };
  if (me.given) query.user = me.given;
  // What is drawn already goes on; another size is drawn anew.
  if (screen.offset !== null && screen.rows === size.rows && screen.cols === size.cols) query.from = screen.offset;
  url.search = new URLSearchParams(query);
  state(tries ? "connecting again" : "connecting");
  const mine = new WebSocket(url);
  socket = mine;
  mine.addEventListener("message", (event) => { if (socket === mine) heed(JSON.parse(event.data)); });
  mine.addEventListener("close", () => { if (socket === mine) lost(); });
}

async function lost() {
  socket = null;
  me.session = undefined;
  if (over) return;
  state("not connected", "bad");
  // At once the first time: the daemon may only have been replaced.
  setTimeout(connect, Math.min(5000, 100 * 2 ** tries++));
  try {
    // What may not be looked at, or is not there, is told so; `ask` goes to the login where that is needed.
    await ask(`${consolePath}/offset?point=0`);
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) return;
    over = true;
    state("not to be had", "bad");
    notice([error.message, error.hint].filter(Boolean).join(". "));
  }
}

function state(text, kind = "") {
  find("link").textContent = text;
  find("link").className = `state ${kind}`;
}

function room() {
  const [rows, cols] = find("size").value.split("x").map(Number);
  return cols ? { rows, cols } : screen.measure();
}

function request(verb, fields = {}) {
  send(JSON.stringify({ id: ++asked, request: verb, ...fields }));
  return asked;
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(message);
  else notice("Not connected: that did not reach the board.");
}

function heed(message) {
  switch (message.type) {
    case "you":
      Object.assign(me, { user: message.user, right: message.right });
      find("you").textContent = `You are ${me.user}, and may ${me.right}.`;
      power.allow(me.right === "write" || me.right === "control");
      find("break").disabled = me.right !== "control";
      break;
    case "hello":
      tries = 0;
      me.session = message.session;
      state("connected", "good");
      port(message.port);
      mode(message.mode, message.holder);
      people(message.others);
      notice("");
      break;
    case "draw":
      speech.say(screen.draw(message));
      break;
    case "told":
      told(message);
      break;
    case "mode":
      mode(message.mode, message.holder);
      break;
    case "gap":
      happened(`${message.to - message.from} bytes are not held any more`);
      break;
    case "notice":
      notice(message.text);
      break;
    case "ended":
      over = true;
      state("ended", "bad");
      notice(`${message.reason}. Reload the page to come again.`);
      break;
    case "reply":
      reply(message);
      break;
  }
}

function reply(message) {
  if (message.answer === "refused") notice(message.reason);
  if (message.answer === "sessions") people(message.sessions.filter((it) => it.session !== me.session), message.sessions);
}

function told({ event, text }) {
  if (text) happened(text, event.time_us);
  switch (event.kind) {
    case "port-open": port({ state: "open" }); break;
    case "port-lost": port({ state: "closed", reason: event.reason }); break;
    case "power": if (event.phase !== "begin") power.look(); break;
    case "attach": case "detach": case "forced": case "released": case "mode": case "kicked":
      if (me.session !== undefined) request("who");
      break;
  }
}

// --- what is told ---

function notice(text) {
  find("notice").textContent = text;
}

function happened(text, timeUs = Date.now() * 1000) {
  const item = make("li");
  item.append(make("time", clock(timeUs)), text);
  const events = find("events");
  events.append(item);
  while (events.childElementCount > MOST_EVENTS) events.firstElementChild.remove();
  events.scrollTop = events.scrollHeight;
}

function port(port) {
  find("port").hidden = port.state === "open";
  find("port").className = "state bad";
  find("port").textContent = port.state === "closed" ? `port closed: ${port.reason}` : "port is being opened";
}

function mode(mode, holder) {
  me.mode = mode;
  find("mode").value = mode;
  find("force").hidden = me.right !== "control" || mode !== "spy";
  find("release").hidden = mode !== "exclusive";
  const held = mode === "spy" && holder && holder.session !== me.session;
  find("holder").hidden = !held;
  find("holder").textContent = held ? `${holder.user} has it alone` : "";
  keys.readOnly = mode === "spy";
}

function people(others) {
  const list = others.map((it) => {
    const item = make("li", `${it.user} ${{ rw: "types", spy: "looks", exclusive: "has it alone" }[it.mode]}, by ${it.via}`);
    if (me.right === "control") {
      const kick = make("button", "Let go");
      kick.type = "button";
      kick.setAttribute("aria-label", `Let ${it.user} go`);
      kick.addEventListener("click", () => request("kick", { session: it.session }));
      item.append(" ", kick);
    }
    return item;
  });
  find("people").replaceChildren(...(list.length ? list : [make("li", "Nobody else.")]));
}

// --- the keyboard ---

function type(text) {
  if (!text) return;
  if (me.mode === "spy") return notice("You only look here: what you type goes nowhere.");
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += PIECE) send(bytes.slice(at, at + PIECE));
  screen.toEnd();
}

// Ctrl of the on-screen keys holds for the next key.
function stick(on) {
  sticky = on;
  document.querySelector("[data-key=Control]").setAttribute("aria-pressed", String(on));
}

function input() {
  const text = keys.value.replaceAll(FILLER, "");
  keys.value = FILLER;
  if (sticky && text) {
    stick(false);
    return type(controlled(text[0]) ?? text);
  }
  type(text.replaceAll("\n", "\r"));
}

keys.addEventListener("input", (event) => { if (!event.isComposing) input(); });
keys.addEventListener("compositionend", input);
keys.addEventListener("beforeinput", (event) => {
  if (event.inputType !== "deleteContentBackward" || keys.value.replaceAll(FILLER, "")) return;
  event.preventDefault();
  type("\x7f");
});
keys.addEventListener("focus", () => find("terminal").classList.add("typing"));
keys.addEventListener("blur", () => find("terminal").classList.remove("typing"));

const isOfPage = (target) => target !== keys && target.closest?.("button, input, select, a, dialog, .side, textarea");

// Keys that do nothing by themselves. They leave what is marked as it is, so that it can be copied.
const ALONE = ["Control", "Shift", "Alt", "AltGraph", "Meta", "CapsLock", "NumLock", "ScrollLock", "Fn"];
// What is text, or becomes it by an input method.
const isText = ({ key }) => key.length === 1 || ["Dead", "Process", "Unidentified"].includes(key);

document.addEventListener("keydown", (event) => {
  const selected = String(getSelection());
  if (event.key === "F6" && event.ctrlKey) {
    event.preventDefault();
    return (document.activeElement === keys ? find("mode") : keys).focus();
  }
  if (isOfPage(event.target) || event.metaKey || ALONE.includes(event.key)) return;
  if (event.ctrlKey && event.shiftKey && event.code === "KeyC" && selected) {
    event.preventDefault();
    return void document.execCommand("copy");
  }
  // The browser copies and pastes by itself.
  if (event.ctrlKey && ((event.code === "KeyC" && selected) || (event.shiftKey && "CVIJRTNWK".includes(event.key)))) return;
  if (event.shiftKey && event.key === "Insert") return;
  if (event.shiftKey && (event.key === "PageUp" || event.key === "PageDown")) {
    event.preventDefault();
    return screen.page(event.key === "PageUp" ? -1 : 1);
  }
  const text = sticky && event.key.length === 1 ? controlled(event.key) : keyText(event, screen);
  const control = event.ctrlKey && !event.getModifierState("AltGraph");
  if (text === null && (control || !isText(event))) return;
  if (document.activeElement !== keys) keys.focus({ preventScroll: true });
  if (text === null) return;
  if (sticky) stick(false);
  event.preventDefault();
  type(text);
});

document.addEventListener("paste", (event) => {
  if (isOfPage(event.target)) return;
  event.preventDefault();
  type(pasteText(event.clipboardData.getData("text/plain"), screen.bracketedPaste));
});

// Who has only clicked wants to type; who has marked something wants to copy.
find("terminal").addEventListener("mouseup", () => {
  if (getSelection().isCollapsed) keys.focus({ preventScroll: true });
});

for (const button of document.querySelectorAll("[data-key]")) {
  // The keyboard of a phone stays where it is.
  button.addEventListener("pointerdown", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    const key = button.dataset.key;
    if (key === "Control") stick(!sticky);
    else {
      type(keyText({ key, ctrlKey: sticky, shiftKey: false, altKey: false, metaKey: false }, screen));
      stick(false);
    }
    keys.focus({ preventScroll: true });
  });
}

// --- buttons ---

find("mode").addEventListener("change", () => {
  wanted = find("mode").value;
  request("mode", { mode: wanted });
  find("mode").value = me.mode;
});
find("force").addEventListener("click", () => request("force"));
find("release").addEventListener("click", () => { wanted = "rw"; request("release"); });
find("break").addEventListener("click", () => request("break"));
find("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (text) request("message", { text });
  find("text").value = "";
});
find("more").addEventListener("click", () => {
  const side = find("side");
  side.hidden = !side.hidden;
  find("more").setAttribute("aria-expanded", String(!side.hidden));
});
find("latest").addEventListener("click", () => { screen.toEnd(); keys.focus(); });
find("terminal").addEventListener("scroll", () => { find("latest").hidden = screen.isAtEnd(); });

find("speak").checked = remembered("lava-speak", "yes") === "yes";
find("speak").addEventListener("change", () => {
  remember("lava-speak", find("speak").checked ? "yes" : "no");
  speech.set(find("speak").checked);
});
speech.set(find("speak").checked);

find("size").value = remembered("lava-size", "fit");
let resizing = 0;
function resize() {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    const size = room();
    if (socket?.readyState !== WebSocket.OPEN || (size.rows === screen.rows && size.cols === screen.cols)) return;
    socket.send(JSON.stringify({ request: "size", ...size }));
  }, 150);
}
find("size").addEventListener("change", () => { remember("lava-size", find("size").value); resize(); });
new ResizeObserver(resize).observe(find("terminal"));

// --- the beginning ---

keys.value = FILLER;
const session = await whoAmI(find("logout"));
if (session.user === null) {
  me.given = remembered("lava-user", "") || undefined;
  find("rename").hidden = false;
  find("user").value = me.given ?? "";
  find("user").addEventListener("change", () => {
    remember("lava-user", find("user").value.trim());
    me.given = find("user").value.trim() || undefined;
    socket?.close();
  });
}
await document.fonts?.ready;
connect();
power.look();
keys.focus({ preventScroll: true });
