// What a key sends to the board, as xterm does.

const CSI = "\x1b[";
const ARROWS = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const TILDES = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24 };
const FIRST = { F1: "P", F2: "Q", F3: "R", F4: "S" };
const PLAIN = { Enter: "\r", Escape: "\x1b", Tab: "\t", Backspace: "\x7f" };
const CONTROLS = { " ": "\0", "@": "\0", "2": "\0", "[": "\x1b", "3": "\x1b", "\\": "\x1c", "4": "\x1c", "]": "\x1d", "5": "\x1d", "^": "\x1e", "6": "\x1e", "_": "\x1f", "-": "\x1f", "/": "\x1f", "7": "\x1f", "?": "\x7f", "8": "\x7f" };

// What Ctrl makes of a character; null if nothing.
export function controlled(character) {
  const letter = character.toUpperCase();
  if (letter.length === 1 && letter >= "A" && letter <= "Z") return String.fromCharCode(letter.charCodeAt(0) & 0x1f);
  return CONTROLS[character] ?? null;
}

// The text of a key; null for one that is text by itself (which comes as input, composed or not), or the
// browser's own.
export function keyText(event, screen) {
  const { key, shiftKey, altKey, ctrlKey, metaKey } = event;
  if (metaKey || event.isComposing || key === "Dead" || key === "Process" || key === "Unidentified") return null;
  const modifiers = 1 + (shiftKey ? 1 : 0) + (altKey ? 2 : 0) + (ctrlKey ? 4 : 0);
  if (key in ARROWS) {
    if (modifiers > 1) return `${CSI}1;${modifiers}${ARROWS[key]}`;
    return (screen.applicationCursor ? "\x1bO" : CSI) + ARROWS[key];
  }
  if (key in FIRST) return modifiers > 1 ? `${CSI}1;${modifiers}${FIRST[key]}` : `\x1bO${FIRST[key]}`;
  if (key in TILDES) return modifiers > 1 ? `${CSI}${TILDES[key]};${modifiers}~` : `${CSI}${TILDES[key]}~`;
  if (key === "Tab" && shiftKey) return `${CSI}Z`;
  if (key === "Backspace" && ctrlKey) return "\b";
  if (key in PLAIN) return (altKey ? "\x1b" : "") + PLAIN[key];
  // AltGr makes text, whatever it looks like.
  if (key.length !== 1 || event.getModifierState?.("AltGraph")) return null;
  if (ctrlKey) {
    const control = controlled(key);
    return control === null ? null : (altKey ? "\x1b" : "") + control;
  }
  return altKey ? `\x1b${key}` : null;
}

// What is pasted, as the board is to have it: lines end with Enter, and nothing but text is left, so that
// nobody's clipboard presses other keys, or ends the paste before its time.
export function pasteText(text, bracketed) {
  const lines = text.replace(/\r\n?|\n/g, "\r").replace(/[^\P{Cc}\r\t]/gu, "");
  return bracketed ? `${CSI}200~${lines}${CSI}201~` : lines;
}
