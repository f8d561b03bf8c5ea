// Shows what the daemon says is on the screen, what has left it, and, when one scrolls up, what the record has
// from before.

import { ask } from "./common.js";

// More rows than this above the screen are let go; the record has them.
const MOST_ROWS = 4000;
const [BOLD, DIM, ITALIC, UNDERLINE, INVERSE, WIDE] = [1, 2, 4, 8, 16, 32];

export class Screen {
  constructor({ terminal, history, screen, past, cursor, keys, probe }, name) {
    Object.assign(this, { terminal, history, screen, past, cursor, keys, probe, name });
    this.forget();
    this.applicationCursor = false;
    this.bracketedPaste = false;
    this.loading = false;
    terminal.addEventListener("scroll", () => this.lookBack());
  }

  // Nothing is drawn, and nothing is known.
  forget() {
    this.offset = null;
    this.rows = this.cols = 0;
    this.top = null;
    this.lines = [];
    this.startOver();
  }

  // Nothing of the record is shown; where to go on backwards is told by what is shown.
  startOver() {
    this.back = null;
    this.more = true;
    this.past.hidden = true;
  }

  // Rows and columns that there is room for.
  measure() {
    const box = this.probe.getBoundingClientRect();
    const style = getComputedStyle(this.terminal);
    const width = this.terminal.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.terminal.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const cols = Math.floor(width / (box.width / 10));
    const rows = Math.floor(height / parseFloat(style.lineHeight));
    return { rows: Math.min(150, Math.max(4, rows)), cols: Math.min(400, Math.max(20, cols)) };
  }

  isAtEnd() {
    return this.terminal.scrollTop + this.terminal.clientHeight >= this.terminal.scrollHeight - 8;
  }

  toEnd() {
    this.terminal.scrollTop = this.terminal.scrollHeight;
  }

  // Obeys the daemon, and gives the text that is new.
  draw(draw) {
    const follows = this.isAtEnd();
    const above = this.terminal.scrollTop;
    const spoken = [];
    if (draw.fresh) {
      this.forget();
      this.history.replaceChildren();
      this.lines.forEach((line) => line.remove());
      this.screen.querySelectorAll(".row").forEach((row) => row.remove());
    }
    if (this.rows !== draw.rows) {
      while (this.lines.length > draw.rows) this.lines.pop().remove();
      while (this.lines.length < draw.rows) this.addRow();
    }
    Object.assign(this, { rows: draw.rows, cols: draw.cols, offset: draw.offset, top: draw.top });
    if (draw.cut) {
      this.history.replaceChildren();
      this.startOver();
    }
    for (const line of draw.scrolled) {
      this.history.append(rowOf(line));
      spoken.push(textOf(line.spans));
    }
    for (let moved = 0; moved < draw.moved; moved++) {
      this.lines.shift().remove();
      this.addRow();
    }
    for (const [at, spans] of draw.changed) {
      fill(this.lines[at], spans);
      spoken.push(textOf(spans));
    }
    this.applicationCursor = draw.application_cursor;
    this.bracketedPaste = draw.bracketed_paste;
    this.place(draw.cursor);
    this.trim();
    if (follows) this.toEnd();
    else this.terminal.scrollTop = above;
    return draw.fresh ? [] : spoken;
  }

  addRow() {
    const row = rowOf({ spans: [] });
    this.lines.push(row);
    this.screen.append(row);
  }

  place(cursor) {
    this.cursor.hidden = cursor === null;
    if (cursor === null) return;
    this.cursor.style.setProperty("--row", cursor[0]);
    this.cursor.style.setProperty("--col", cursor[1]);
    // Where composed text is shown, and what phones keep in sight.
    this.keys.style.top = `${this.screen.offsetTop + cursor[0] * parseFloat(getComputedStyle(this.terminal).lineHeight)}px`;
    this.keys.style.left = `min(${cursor[1]}ch, 90%)`;
  }

  trim() {
    if (this.history.childElementCount <= MOST_ROWS || !this.isAtEnd()) return;
    let gone = this.history.childElementCount - MOST_ROWS;
    let first = this.history.firstElementChild;
    // What is left begins with a line, so that the record can go on from there.
    while (first && (gone-- > 0 || first.dataset.at === undefined)) {
      first.remove();
      first = this.history.firstElementChild;
    }
    this.startOver();
  }

  // Has more of the record above, when that is looked for.
  async lookBack() {
    const first = this.history.firstElementChild;
    const before = this.back ?? (first ? Number(first.dataset.at ?? NaN) : this.top);
    if (this.loading || !this.more || this.terminal.scrollTop > 300 || this.offset === null) return;
    if (before === null || Number.isNaN(before)) return;
    this.loading = true;
    try {
      const path = `/consoles/${encodeURIComponent(this.name)}/lines?before=${before}&cols=${this.cols}`;
      const got = await ask(path);
      const still = this.history.firstElementChild === first && (first !== null || this.top === before || this.back === before);
      if (still) {
        const height = this.terminal.scrollHeight;
        this.history.prepend(...got.lines.map(rowOf));
        this.back = got.from;
        this.more = got.more;
        this.past.hidden = got.more;
        this.past.textContent = "The record begins here.";
        this.terminal.scrollTop += this.terminal.scrollHeight - height;
      }
    } catch (error) {
      this.past.hidden = false;
      this.past.textContent = `What was before cannot be shown: ${error.message}`;
    } finally {
      this.loading = false;
    }
  }
}

function textOf(spans) {
  return spans.map((span) => span[0]).join("");
}

function rowOf(line) {
  const row = document.createElement("div");
  row.className = "row";
  if (line.at !== undefined) row.dataset.at = line.at;
  fill(row, line.spans);
  return row;
}

// An empty row holds a blank: it is a line of what is copied, too.
function fill(row, spans) {
  row.replaceChildren(...(spans.length ? spans.map(spanOf) : [document.createTextNode("")]));
}

function spanOf([text, looks, ink, ground]) {
  if (!looks && ink === null && ground === null) return document.createTextNode(text);
  const span = document.createElement("span");
  span.textContent = text;
  const names = [[BOLD, "bold"], [DIM, "dim"], [ITALIC, "italic"], [UNDERLINE, "under"], [INVERSE, "inverse"], [WIDE, "wide"]];
  span.classList.add(...names.filter(([bit]) => looks & bit).map(([, name]) => name));
  colour(span, ink, "f", "color");
  if (!(looks & INVERSE)) colour(span, ground, "b", "background-color");
  return span;
}

function colour(span, colour, kind, property) {
  if (colour === null) return;
  if (typeof colour === "number" && colour < 16) span.classList.add(`${kind}${colour}`);
  else span.style.setProperty(property, `rgb(${rgb(colour).join(" ")})`);
}

// The 256 colours of xterm: a cube of 6, and greys.
function rgb(colour) {
  if (typeof colour !== "number") return colour;
  if (colour >= 232) return Array(3).fill(8 + (colour - 232) * 10);
  const at = colour - 16;
  return [Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6].map((step) => (step ? 55 + step * 40 : 0));
}
