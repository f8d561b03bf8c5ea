//! What a terminal sends when somebody types, clicks or pastes: bytes into keys.
//!
//! The sequences are those of xterm, which all terminals of today send (xterm's "Control Sequences",
//! `ctlseqs`: PC-style function keys, mouse tracking with `SGR` coordinates, bracketed paste), and the
//! Linux console's for F1 to F5.

mod chord;
mod sequence;
#[cfg(test)]
mod tests;

pub use chord::ChordError;

const ESC: u8 = 0x1b;
/// The longest sequence that is waited for, in bytes. What is longer is none.
const MAX_SEQUENCE: usize = 64;
/// What is pasted is given in pieces of at most so many bytes.
const MAX_PASTE: usize = 64 * 1024;
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key with its modifiers, such as `q`, `ctrl-x` or `f5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: Code,
    pub ctrl: bool,
    pub alt: bool,
    /// Only of keys that are no character: `shift-up`. `A` is a character of its own.
    pub shift: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Insert,
    Delete,
    F(u8),
}

/// What a mouse did, at a cell that is counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub what: MouseWhat,
    pub column: u16,
    pub row: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseWhat {
    /// The left button.
    Press,
    Release,
    WheelUp,
    WheelDown,
    /// Another button, or a movement.
    Other,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    Mouse(Mouse),
    /// A piece of what is pasted; it may begin and end anywhere.
    Paste(Vec<u8>),
    /// A sequence that means nothing here.
    Unknown,
}

/// What somebody did, and the bytes that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub input: Input,
    pub bytes: Vec<u8>,
}

/// Decodes a terminal's bytes, in whatever pieces they come.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of something, or of what is pasted.
    held: Vec<u8>,
    pasting: bool,
}

impl Key {
    pub const fn new(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    pub const fn char(c: char) -> Self {
        Self::new(Code::Char(c))
    }

    pub const fn ctrl(c: char) -> Self {
        Self { ctrl: true, ..Self::char(c) }
    }
}

/// How far some bytes are understood.
enum Found {
    /// So many of them are this.
    Input(usize, Input),
    /// More have to come.
    More,
}

impl Decoder {
    /// Takes the next bytes, and gives what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        self.held.extend_from_slice(bytes);
        let mut typed = Vec::new();
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let found = if self.pasting { pasted(rest) } else { sequence::first(rest) };
            let Found::Input(length, input) = found else { break };
            let bytes = rest[..length].to_vec();
            at += length;
            let begins = bytes == b"\x1b[200~";
            if begins || (self.pasting && bytes == PASTE_END) {
                self.pasting = begins;
            }
            typed.push(Typed { input, bytes });
        }
        self.held.drain(..at);
        typed
    }

    /// Whether something has begun that may be over already: a lone Escape looks like the begin of a
    /// sequence. After a while without more [`Self::release`] tells it.
    pub fn holds(&self) -> bool {
        !self.held.is_empty() && !self.pasting
    }

    /// Nothing more has come: gives what is held as what it is by itself.
    pub fn release(&mut self) -> Vec<Typed> {
        let mut typed = Vec::new();
        if self.pasting {
            return typed;
        }
        let held = std::mem::take(&mut self.held);
        let input = match held[..] {
            [] => return typed,
            [ESC] => Input::Key(Key::new(Code::Esc)),
            // Alt and the key, that might have begun a sequence.
            [ESC, byte @ (b'[' | b'O')] => {
                Input::Key(Key { alt: true, ..Key::char(char::from(byte)) })
            }
            _ => Input::Unknown,
        };
        typed.push(Typed { input, bytes: held });
        typed
    }
}

/// What is pasted up to the end of it, or of what is there.
fn pasted(bytes: &[u8]) -> Found {
    if bytes.starts_with(PASTE_END) {
        return Found::Input(PASTE_END.len(), Input::Unknown);
    }
    // What may begin the end waits for the rest of it.
    let end = bytes.windows(PASTE_END.len()).position(|window| window == PASTE_END);
    let partial = || {
        let longest = (1..PASTE_END.len())
            .rev()
            .find(|length| bytes.len() >= *length && bytes.ends_with(&PASTE_END[..*length]));
        bytes.len() - longest.unwrap_or(0)
    };
    match end.unwrap_or_else(partial).min(MAX_PASTE) {
        0 => Found::More,
        length => Found::Input(length, Input::Paste(bytes[..length].to_vec())),
    }
}
