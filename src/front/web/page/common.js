// What all pages have: asking the daemon, and making elements. Text is always text, never markup.

export const find = (id) => document.getElementById(id);

export function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

// Asks for JSON. What is refused is an Error with `status`, `hint` and `refusal`; who is not known goes to the login.
export async function ask(path, method = "GET", body = undefined) {
  const init = { method, cache: "no-store", headers: {} };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["content-type"] = "application/json";
  }
  const answer = await fetch(path, init);
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* told below by its status */ }
  if (answer.ok) return value;
  if (answer.status === 401 && path !== "/session") return toLogin();
  const error = new Error(value?.error?.message ?? `the daemon answered ${answer.status}`);
  error.status = answer.status;
  error.hint = value?.error?.hint ?? "";
  error.refusal = value?.error?.refusal ?? "";
  throw error;
}

export function toLogin() {
  const here = location.pathname + location.search;
  location.replace(`/login?to=${encodeURIComponent(here)}`);
  // The page is going away.
  return new Promise(() => {});
}

// Who we are; the login if the daemon does not know.
export async function whoAmI(logout) {
  const session = await ask("/session");
  if (!session.known) return toLogin();
  logout.hidden = !session.token;
  logout.addEventListener("click", async () => {
    await ask("/session", "DELETE");
    location.reload();
  });
  return session;
}

export const clock = (timeUs) => new Date(timeUs / 1000).toLocaleTimeString();

// Remembered in this browser; where that is forbidden, not.
export function remembered(key, fallback) {
  try { return localStorage.getItem(key) ?? fallback; } catch { return fallback; }
}
export function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* for this page only, then */ }
}

// The console of this page: of /view/NAME of lava-serial, or of /ui/boards/NAME/console of lava-server.
const parts = location.pathname.split("/");
export const atServer = parts[1] === "ui";
const named = atServer ? parts[3] : parts.at(-1);
export const consoleName = decodeURIComponent(named ?? "");
export const consolePath = atServer ? `/boards/${named}/console` : `/consoles/${named}`;
