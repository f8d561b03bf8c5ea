// Shows a token once; from then on the browser's cookie stands for it.

import { ask, find } from "./common.js";

// Only pages of our own. It is gone to as a whole: its path alone could be taken for another host.
function target() {
  const to = new URLSearchParams(location.search).get("to") ?? "/";
  const url = new URL(to, location.origin);
  return url.origin === location.origin ? url.href : "/";
}

find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("notice").textContent = "";
  try {
    await ask("/session", "POST", { token: find("token").value });
    location.replace(target());
  } catch (error) {
    find("notice").textContent = error.message;
    find("token").select();
  }
});

// Before this, what is submitted would not come here, but into an address.
find("enter").disabled = false;

// Who comes by a link of another site is logged in all the same.
const session = await ask("/session");
if (session.known) location.replace(target());
find("token").focus();
