// What the boards say last, as they say it, and whether they are on.

import { find } from "./common.js";
import { feed } from "./feed.js";

feed((row) => {
  const board = find(`board-${row.console}`);
  if (!board) return;
  const [line, power] = [board.querySelector(".last"), board.querySelector(".power")];
  const state = row.power?.on === undefined ? "" : row.power.on ? "on" : "off";
  power.className = `power ${state}`;
  power.textContent = state && `power ${state}`;
  line.textContent = row.last_line ?? "";
  line.title = row.heard_us ? `heard at ${new Date(row.heard_us / 1000).toLocaleString()}` : "";
});
