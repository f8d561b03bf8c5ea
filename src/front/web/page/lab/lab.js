// What all pages of the lab do: who one is, times by one's own clock, the filter, keys, and what is live.

import { find, remember, whoAmI } from "./common.js";
import { act, me, show } from "./acts.js";
import { keyboard } from "./keyboard.js";
import { live } from "./live.js";

const name = find("user");
if (name) {
  name.value = me();
  name.addEventListener("change", () => {
    remember("lava-user", name.value.trim());
    show(document);
  });
}

const filter = find("filter");
if (filter) {
  filter.value = new URLSearchParams(location.search).get("q") ?? "";
  filter.addEventListener("input", () => {
    const url = new URL(location.href);
    if (filter.value) url.searchParams.set("q", filter.value);
    else url.searchParams.delete("q");
    history.replaceState(null, "", url);
    show(document);
  });
}

act();
keyboard();
show(document);
await whoAmI(find("logout"));
live();
