// A list of any number of lines of which only those that are seen are there. Where a browser could not scroll so far,
// its scroll bar stands for more than it is high.

import { make } from "./common.js";

// The highest element that all browsers have, in pixels.
const HIGHEST = 12_000_000;
// So many lines are asked for at once, and so many pieces of that kept.
const PIECE = 200;
const MOST_PIECES = 60;

export class Lines {
  // `ask` gives some lines for a query; `told` is called with what was learned of the log.
  constructor({ view, space, lines }, ask, told) {
    Object.assign(this, { view, space, lines, ask, told });
    Object.assign(this, { found: 0, top: 0, marked: null, age: 0 });
    this.pieces = new Map();
    this.rows = [];
    this.height = parseFloat(getComputedStyle(lines).lineHeight);
    view.addEventListener("scroll", () => this.scrolled());
    view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    view.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => { this.fit(); this.draw(); }).observe(view);
  }

  get seen() {
    return Math.max(1, Math.floor(this.view.clientHeight / this.height));
  }

  get last() {
    return Math.max(0, this.found - this.seen);
  }

  isAtEnd() {
    return this.top >= this.last - 1;
  }

  // Begins anew with what is wanted now: at the end, at a line, or at the first.
  async begin({ line = null, end = false }) {
    this.age += 1;
    const age = this.age;
    const query = line !== null ? { around: line } : end ? { last: true } : { from: 0 };
    const got = await this.ask({ ...query, count: PIECE });
    if (age !== this.age) return null;
    this.pieces.clear();
    this.take(got);
    if (line !== null) this.to(got.place - Math.floor(this.seen / 3));
    else this.to(end ? this.last : 0);
    return got;
  }

  // Takes lines and how many there are.
  take(got) {
    this.found = got.found;
    this.keep(got);
    this.fit();
    this.told(got);
  }

  // There are more: who looks at the end stays there.
  grow(got, follows) {
    // What was the end of a piece is not any more.
    this.pieces.delete(Math.floor((this.found - 1) / PIECE));
    this.take(got);
    if (follows) this.to(this.last);
    else this.draw();
  }

  keep({ from, rows }) {
    rows.forEach((row, at) => {
      const index = from + at;
      const piece = Math.floor(index / PIECE);
      if (!this.pieces.has(piece)) this.pieces.set(piece, { rows: new Map(), asked: false });
      this.pieces.get(piece).rows.set(index, row);
    });
    for (const piece of this.pieces.keys()) {
      if (this.pieces.size <= MOST_PIECES) break;
      this.pieces.delete(piece);
    }
  }

  fit() {
    this.space.style.setProperty("height", `${Math.min(this.found * this.height, HIGHEST)}px`);
  }

  // Pixels of the scroll bar for a line.
  get scale() {
    const room = this.space.offsetHeight - this.view.clientHeight;
    return this.last > 0 && room > 0 ? room / this.last : this.height;
  }

  to(top) {
    this.top = Math.max(0, Math.min(this.last, top));
    this.moved = Math.round(this.top * this.scale);
    this.view.scrollTop = this.moved;
    this.draw();
  }

  scrolled() {
    if (Math.abs(this.view.scrollTop - (this.moved ?? -1)) > 1) {
      this.moved = null;
      this.top = Math.max(0, Math.min(this.last, this.view.scrollTop / this.scale));
    }
    this.draw();
  }

  // A turn of the wheel is as far as anywhere else.
  wheel(event) {
    if (!event.deltaY || event.ctrlKey || event.shiftKey || this.found * this.height <= HIGHEST) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? event.deltaY : event.deltaY / this.height;
    this.to(this.top + lines);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== this.view) return;
    const steps = { j: () => this.step(1), k: () => this.step(-1), ArrowDown: () => this.to(this.top + 1), ArrowUp: () => this.to(this.top - 1),
      PageDown: () => this.to(this.top + this.seen - 1), PageUp: () => this.to(this.top - this.seen + 1), " ": () => this.to(this.top + this.seen - 1),
      Home: () => this.to(0), g: () => this.to(0), End: () => this.to(this.last), G: () => this.to(this.last) };
    if (!steps[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    steps[event.key]();
  }

  // The mark goes on by a line.
  step(by) {
    const index = this.at ?? Math.ceil(this.top) - by;
    const to = Math.max(0, Math.min(this.found - 1, index + by));
    if (to < this.top || to >= this.top + this.seen) this.to(by > 0 ? to - this.seen + 1 : to);
    const row = this.row(to);
    if (row) this.mark(row.line, to);
  }

  mark(line, at = null) {
    [this.marked, this.at] = [line, at];
    this.draw();
    this.view.dispatchEvent(new CustomEvent("marked", { detail: line }));
  }

  row(index) {
    return this.pieces.get(Math.floor(index / PIECE))?.rows.get(index);
  }

  draw() {
    const first = Math.floor(this.top);
    const count = Math.min(this.found - first, this.seen + 2);
    while (this.rows.length < count) this.rows.push(this.line());
    while (this.rows.length > Math.max(0, count)) this.rows.pop().remove();
    const shift = this.view.scrollTop - (this.top - first) * this.height;
    this.lines.style.setProperty("transform", `translateY(${Math.max(0, shift)}px)`);
    this.rows.forEach((line, at) => this.fill(line, this.row(first + at)));
    this.fetch(first, first + count);
  }

  line() {
    const line = make("div", "", "line");
    const number = make("a", "", "no");
    line.append(number, make("span", "", "t"), make("span", "", "m"));
    this.lines.append(line);
    return line;
  }

  fill(line, row) {
    const [number, time, text] = line.children;
    line.className = row ? `line ${row.level}` : "line";
    line.classList.toggle("marked", Boolean(row) && row.line === this.marked);
    number.textContent = row ? row.line + 1 : "";
    if (row) number.setAttribute("href", `#L${row.line + 1}`);
    else number.removeAttribute("href");
    time.textContent = row ? clock(row.ms) : "";
    text.textContent = row ? row.text : "…";
  }

  // Asks for what is seen and not there, and nothing that one has passed by meanwhile.
  async fetch(from, to) {
    const missing = [];
    for (let index = from; index < to; index += 1) if (!this.row(index)) { missing.push(Math.floor(index / PIECE)); break; }
    const end = Math.max(from, to - 1);
    if (!this.row(end) && this.found) missing.push(Math.floor(end / PIECE));
    if (!missing.length || this.fetching) return;
    const age = this.age;
    this.fetching = true;
    try {
      const [piece] = missing;
      const got = await this.ask({ from: piece * PIECE, count: PIECE });
      if (age === this.age) {
        this.keep(got);
        // Less than was told: it is looked again when there is more.
        if (got.found !== this.found) { this.found = got.found; this.fit(); this.told(got); }
      }
      this.fetching = false;
      if (age === this.age && got.rows.length) this.draw();
    } catch {
      this.fetching = false;
    }
  }
}

// After the log's begin: 1:02.3
export function clock(ms) {
  const tenths = Math.floor(ms / 100);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const seconds = `${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
