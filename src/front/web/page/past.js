// The rows above the screen: what has left it, and, when one scrolls up, what the record has from before. They
// are a part of the record that ends at the screen; or, when one reads in it while more is printed than is kept,
// somewhere before it, at a gap, and go on by the record when one comes there.

import { ask, consolePath } from "./common.js";
import { rowOf } from "./rows.js";

// So many rows are kept while nobody reads in them, and so many while somebody does; the record has the others.
const MOST_ROWS = 4000;
const MOST_READ = 12000;
// So near to the end of what is there, in pixels, more is asked for.
const NEAR = 300;

export class Past {
  constructor({ terminal, history, past, gap }) {
    Object.assign(this, { terminal, history, note: past, gap });
    // Of the screen: columns, the line that its top row is of, and how many rows of that are above it.
    Object.assign(this, { cols: 0, top: null, begun: 0 });
    this.loading = false;
    this.startOver();
    terminal.addEventListener("scroll", () => this.look());
    // Where there is nothing to scroll yet, too.
    terminal.addEventListener("wheel", () => this.look(), { passive: true });
  }

  // Nothing is shown. `before` is where to go on backwards; null is at the screen. `after` is where to go on
  // forwards; null when the screen comes next.
  startOver() {
    this.history.replaceChildren();
    Object.assign(this, { before: null, after: null, more: true, failed: false });
    this.tell();
  }

  isAtEnd() {
    return this.terminal.scrollTop + this.terminal.clientHeight >= this.terminal.scrollHeight - 8;
  }

  // Takes rows that have left the screen. The first of them is of the line that begins at `begins`.
  take(lines, begins, follows) {
    if (this.after !== null) return;
    if (lines.length && !this.history.childElementCount) this.before ??= lines[0].at ?? begins;
    this.history.append(...lines.map(rowOf));
    if (follows) this.trim(MOST_ROWS);
    else if (this.history.childElementCount > MOST_READ) this.part(this.top);
  }

  // What comes from the line at an offset on is not kept any more, so that who reads goes on doing so.
  part(offset) {
    if (this.after !== null) return;
    const rows = [...this.history.children];
    let end = rows.length;
    for (let at = rows.length - 1; at >= 0; at--) {
      const begins = rows[at].dataset.at;
      if (begins === undefined) continue;
      if (offset !== null && Number(begins) < offset) break;
      end = at;
      if (offset !== null) continue;
      offset = Number(begins);
      break;
    }
    rows.slice(end).forEach((row) => row.remove());
    if (offset === null || end === 0) return this.startOver();
    this.after = offset;
    this.tell();
  }

  // Has more of the record where one looks.
  look() {
    if (this.after !== null && this.isAtEnd()) this.startOver();
    this.fill();
  }

  fill() {
    this.lookBack();
    this.lookOn();
  }

  // Where what comes before is asked for; null when that is not known.
  begin() {
    return this.before ?? (this.history.childElementCount ? null : this.top);
  }

  async lookBack() {
    const before = this.begin();
    if (before === null || !this.more || this.terminal.scrollTop > NEAR) return;
    const taken = await this.load({ before }, () => this.begin() === before, (got) => {
      this.keepPlace(() => this.history.prepend(...got.lines.map(rowOf)));
      Object.assign(this, { before: got.from, more: got.more });
      if (this.history.childElementCount > MOST_READ) this.partAt(MOST_READ);
      return got.from < before;
    });
    if (taken) this.lookBack();
  }

  async lookOn() {
    const from = this.after;
    const { terminal, gap } = this;
    if (from === null || gap.offsetTop > terminal.scrollTop + terminal.clientHeight + NEAR) return;
    const taken = await this.load({ from }, () => this.after === from, (got) => {
      let lines = got.lines;
      const joins = this.top !== null && (got.to > this.top || (got.to === this.top && !this.begun));
      if (joins) {
        const first = lines.findIndex((line) => line.at >= this.top);
        if (first >= 0) lines = lines.slice(0, first).concat(this.begunOf(lines.slice(first)));
      }
      const above = gap.offsetTop < terminal.scrollTop;
      const add = () => this.history.append(...lines.map(rowOf));
      if (above) this.keepPlace(add);
      else add();
      this.after = joins ? null : got.to;
      this.keepPlace(() => this.trim(MOST_READ));
      return got.to > from;
    });
    if (taken) this.lookOn();
  }

  // Of rows that begin with a line, those that are above the screen, when it is the line of its top row.
  begunOf(rows) {
    const other = rows.findIndex((row, at) => at > 0 && row.at !== undefined);
    const own = other < 0 ? rows.length : other;
    return rows[0].at === this.top ? rows.slice(0, Math.min(this.begun, own)) : [];
  }

  // Asks for lines of the record, one question at a time. An answer that does not fit any more is dropped, and what is
  // missing now is asked for: who looked for it meanwhile was told that a question is under way.
  async load(query, fits, take) {
    if (this.loading) return false;
    this.loading = true;
    const cols = this.cols;
    let dropped = false;
    try {
      const got = await ask(`${consolePath}/lines?${new URLSearchParams({ ...query, cols })}`);
      this.failed = false;
      dropped = this.cols !== cols || !fits();
      if (dropped) return false;
      const taken = take(got);
      this.tell();
      return taken;
    } catch (error) {
      this.failed = true;
      this.note.hidden = false;
      this.note.textContent = `What was before cannot be shown: ${error.message}`;
      return false;
    } finally {
      this.loading = false;
      if (dropped) this.fill();
    }
  }

  // Keeps the last rows only. What is left begins with a line, so that the record can go on from there.
  trim(most) {
    let gone = this.history.childElementCount - most;
    if (gone <= 0) return;
    let first = this.history.firstElementChild;
    while (first && (gone-- > 0 || first.dataset.at === undefined)) {
      first.remove();
      first = this.history.firstElementChild;
    }
    Object.assign(this, { before: first ? Number(first.dataset.at) : null, more: true });
    this.tell();
  }

  // Keeps about so many of the first rows only, and whole lines.
  partAt(most) {
    let row = this.history.children[most];
    while (row && row.dataset.at === undefined) row = row.previousElementSibling;
    if (!row?.previousElementSibling) return;
    const offset = Number(row.dataset.at);
    this.after = null;
    this.part(offset);
  }

  // What is seen stays where it is while something above it changes.
  keepPlace(change) {
    const height = this.terminal.scrollHeight;
    change();
    this.terminal.scrollTop += this.terminal.scrollHeight - height;
  }

  tell() {
    this.note.hidden = this.more || !this.history.childElementCount;
    this.note.textContent = "The record begins here.";
    this.gap.hidden = this.after === null;
  }
}
