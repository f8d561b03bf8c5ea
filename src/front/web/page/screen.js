// Shows what the daemon says is on the screen; what leaves it goes to the rows above.

import { Past } from "./past.js";
import { fill, rowOf, textOf } from "./rows.js";

export class Screen {
  constructor(elements) {
    const { terminal, screen, cursor, keys, probe } = elements;
    Object.assign(this, { terminal, screen, cursor, keys, probe });
    this.past = new Past(elements);
    // What is drawn, up to which offset; none yet.
    this.offset = null;
    // Where it was scrolled to its end; none when somebody has scrolled away.
    this.end = null;
    this.rows = this.cols = 0;
    this.lines = [];
    this.applicationCursor = false;
    this.bracketedPaste = false;
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

  // Also where something has grown since, and nobody has scrolled.
  isAtEnd() {
    return this.past.isAtEnd() || this.terminal.scrollTop === this.end;
  }

  toEnd() {
    // What is between what one has read and the screen is not fetched for that.
    if (this.past.after !== null) this.past.startOver();
    this.terminal.scrollTop = this.terminal.scrollHeight;
    this.end = this.terminal.scrollTop;
  }

  // Scrolls by pages, up where that is negative.
  page(by) {
    this.terminal.scrollBy(0, this.terminal.clientHeight * 0.9 * by);
    this.past.look();
  }

  // Obeys the daemon, and gives the text that is new.
  draw(draw) {
    const { past, terminal } = this;
    const follows = this.isAtEnd();
    if (!follows) this.end = null;
    const above = terminal.scrollTop;
    const begins = past.top;
    const spoken = [];
    if (draw.fresh) {
      this.lines.forEach((line) => line.remove());
      this.lines = [];
    }
    // Who reads goes on reading, unless rows have another width now.
    const stays = !follows && this.cols === draw.cols;
    if (draw.fresh || draw.cut) {
      if (stays) past.part(begins);
      else past.startOver();
    } else if (follows && past.after !== null) past.startOver();
    while (this.lines.length > draw.rows) this.lines.pop().remove();
    while (this.lines.length < draw.rows) this.addRow();
    Object.assign(this, { rows: draw.rows, cols: draw.cols, offset: draw.offset });
    Object.assign(past, { cols: draw.cols, top: draw.top, begun: draw.begun });
    past.take(draw.scrolled, begins, follows);
    for (const line of draw.scrolled) spoken.push(textOf(line.spans));
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
    if (follows || (draw.fresh && !stays)) this.toEnd();
    else terminal.scrollTop = above;
    if (!past.failed) past.fill();
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
}
