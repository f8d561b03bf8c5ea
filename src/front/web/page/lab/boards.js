// What the boards say last, as they say it.

import { find } from "./common.js";
import { feed } from "./feed.js";

feed((row) => {
  const line = find(`board-${row.console}`)?.querySelector(".last");
  if (!line) return;
  line.textContent = row.last_line ?? "";
  line.title = row.heard_us ? `heard at ${new Date(row.heard_us / 1000).toLocaleString()}` : "";
});
