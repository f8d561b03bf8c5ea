// What is printed, for screen readers: new lines, once a second, and not more than anybody can listen to.

const EVERY_MS = 1000;
const MOST = 12;

export class Speech {
  constructor(region) {
    this.region = region;
    this.lines = [];
    this.left = 0;
    this.on = false;
    this.timer = 0;
  }

  set(on) {
    this.on = on;
    this.lines = [];
    if (!on) this.region.replaceChildren();
  }

  say(lines) {
    if (!this.on) return;
    this.lines.push(...lines.filter((line) => line.trim()));
    this.left += Math.max(0, this.lines.length - MOST);
    this.lines = this.lines.slice(-MOST);
    this.timer ||= setTimeout(() => this.speak(), EVERY_MS);
  }

  speak() {
    this.timer = 0;
    if (!this.on || !this.lines.length) return;
    const before = this.left ? [`${this.left} lines before`] : [];
    this.left = 0;
    this.region.replaceChildren(...before.concat(this.lines).map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    this.lines = [];
  }
}
