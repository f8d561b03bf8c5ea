// Rows of text, as the daemon tells them: spans of cells that look alike.

const [BOLD, DIM, ITALIC, UNDERLINE, INVERSE, WIDE] = [1, 2, 4, 8, 16, 32];

export function textOf(spans) {
  return spans.map((span) => span[0]).join("");
}

export function rowOf(line) {
  const row = document.createElement("div");
  row.className = "row";
  if (line.at !== undefined) row.dataset.at = line.at;
  fill(row, line.spans);
  return row;
}

// An empty row holds a line break: it is a line of what is copied, too.
export function fill(row, spans) {
  row.replaceChildren(...(spans.length ? spans.map(spanOf) : [document.createElement("br")]));
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
