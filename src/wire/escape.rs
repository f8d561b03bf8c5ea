//! The escapes in what a person types: `~$hardreset` and Enter, or another [`Keymap`].
//!
//! What begins an escape is recognised anywhere, not only after a newline. A part of it, as a lone
//! `~`, is held until the next byte tells whether it goes on. After `~$` one line is read, with echo
//! and editing, and is the command; then bytes go to the board again.

pub use super::keymap::{Introducer, Keymap};

use super::keymap::Key;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const CTRL_C: u8 = 0x03;
const CTRL_U: u8 = 0x15;

/// The longest command, in bytes. More is not taken, and a bell says so.
pub const MAX_COMMAND: usize = 1024;

/// What becomes of typed bytes, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Goes to the board.
    Board(Vec<u8>),
    /// Is shown to the person who types.
    Echo(Vec<u8>),
    /// A command to carry out, without what began it and the Enter. May be empty.
    Command(String),
}

/// Recognises escapes in one person's typing. The result does not depend on how the bytes are cut
/// into pieces.
#[derive(Debug)]
pub struct Escapes {
    keymap: Keymap,
    /// `None` where there are no escapes at all.
    introducer: Option<Introducer>,
    /// Shown before a command in words.
    prompt: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So much of the introducer is held.
    Board(Vec<u8>),
    /// The command so far, what is put before it, and what ends its echo.
    Line { command: &'static str, line: Vec<u8>, end: &'static str },
    /// The introducer was typed: a letter comes.
    Letter,
    /// The letter that wants more, and what it has.
    More(Key, Vec<u8>),
}

impl Escapes {
    /// `~$` and words. `title` is the board's name in the prompt, `Command(panda01)> `.
    pub fn new(title: &str) -> Self {
        Self::with(Keymap::Lava, Some(Keymap::Lava.introducer()), title)
    }

    /// Another keymap, or another introducer; none at all when `None`.
    pub fn with(keymap: Keymap, introducer: Option<Introducer>, title: &str) -> Self {
        let prompt = format!("\r\nCommand({title})> ");
        Self { keymap, introducer, prompt, state: State::Board(Vec::new()) }
    }

    pub fn keymap(&self) -> Keymap {
        self.keymap
    }

    /// What begins an escape at the moment.
    pub fn introducer(&self) -> Option<&Introducer> {
        self.introducer.as_ref()
    }

    /// Takes bytes as they were typed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut typed);
        }
        typed
    }

    /// Whether the begin of an escape is held. The caller may [`Self::release`] it when nothing
    /// follows for a while.
    pub fn holds(&self) -> bool {
        matches!(&self.state, State::Board(held) if !held.is_empty())
    }

    /// Whether a command is being typed.
    pub fn in_command(&self) -> bool {
        !matches!(self.state, State::Board(_))
    }

    /// Gives up what is held to the board.
    pub fn release(&mut self) -> Option<Typed> {
        match &mut self.state {
            State::Board(held) if !held.is_empty() => Some(Typed::Board(std::mem::take(held))),
            _ => None,
        }
    }

    /// Nothing more will be typed: what is held goes to the board, and an unfinished command counts
    /// as finished.
    pub fn finish(&mut self) -> Option<Typed> {
        let state = std::mem::replace(&mut self.state, State::Board(Vec::new()));
        match state {
            State::Board(held) => (!held.is_empty()).then_some(Typed::Board(held)),
            State::Line { command, line, .. } => Some(finished(command, &line)),
            State::Letter | State::More(..) => None,
        }
    }

    fn byte(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match &mut self.state {
            State::Board(_) => self.board(byte, typed),
            State::Line { .. } => self.line(byte, typed),
            State::Letter => self.letter(byte, typed),
            State::More(..) => self.more(byte, typed),
        }
    }

    fn board(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::Board(held) = &mut self.state else { return };
        let Some(introducer) = &self.introducer else { return to_board(byte, typed) };
        held.push(byte);
        // What cannot be the begin of an escape any more goes to the board.
        while !introducer.keys().starts_with(held) {
            to_board(held.remove(0), typed);
        }
        if held.len() == introducer.keys().len() {
            self.state = match self.keymap {
                Keymap::Lava => {
                    echo(self.prompt.as_bytes(), typed);
                    State::Line { command: "", line: Vec::new(), end: "\n" }
                }
                Keymap::Conserver | Keymap::Conman => State::Letter,
            };
        }
    }

    fn line(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::Line { command, line, end } = &mut self.state else { return };
        let alone = self.introducer.as_ref().is_some_and(|keys| keys.keys() == [byte]);
        match byte {
            b'\r' | b'\n' => {
                echo(end.as_bytes(), typed);
                typed.push(finished(command, line));
                self.leave();
            }
            // Typed twice, a single key is itself.
            _ if alone && line.is_empty() && self.keymap == Keymap::Lava => {
                echo(b"\n", typed);
                to_board(byte, typed);
                self.leave();
            }
            CTRL_C | CTRL_U => {
                echo(end.as_bytes(), typed);
                self.leave();
            }
            BACKSPACE | DELETE => {
                if erase(line) {
                    echo(b"\x08 \x08", typed);
                }
            }
            b' '.. if line.len() < MAX_COMMAND => {
                line.push(byte);
                echo(&[byte], typed);
            }
            _ => echo(b"\x07", typed),
        }
    }

    fn letter(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        self.leave();
        match self.keymap.key(byte) {
            None => echo(b"[unknown -- use `?']\r\n", typed),
            Some(Key::Run(command)) => typed.push(Typed::Command(command.into())),
            Some(Key::Ask { prompt, command }) => {
                echo(prompt.as_bytes(), typed);
                self.state = State::Line { command, line: Vec::new(), end: "]\n" };
            }
            Some(Key::Literal) => {
                let first = self.introducer.as_ref().and_then(|keys| keys.keys().first());
                first.into_iter().for_each(|first| to_board(*first, typed));
            }
            Some(Key::Ignore) => {}
            Some(key @ (Key::Break | Key::Redefine | Key::Octal)) => {
                self.state = State::More(key, Vec::new());
            }
        }
    }

    fn more(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::More(key, had) = &mut self.state else { return };
        had.push(byte);
        match (*key, &had[..]) {
            (Key::Break, [b'?']) => typed.push(Typed::Command("breaks".into())),
            (Key::Break, [b'0']) => typed.push(Typed::Command("break".into())),
            (Key::Break, [name]) if name.is_ascii_alphanumeric() => {
                // A number alone would be a time.
                typed.push(Typed::Command(format!("break ={}", char::from(*name))));
            }
            (Key::Redefine, [_]) => return,
            (Key::Redefine, keys) => {
                let introducer = Introducer::of(keys.to_vec());
                echo(format!("[redef: {introducer} ok]\r\n").as_bytes(), typed);
                self.introducer = Some(introducer);
            }
            (Key::Octal, [digits @ .., b'0'..=b'7']) => {
                if digits.len() < 2 {
                    return;
                }
                let digits =
                    had.iter().fold(0, |number: u32, digit| number * 8 + u32::from(digit - b'0'));
                to_board(digits as u8, typed);
            }
            _ => echo(b"[unknown -- use `?']\r\n", typed),
        }
        self.leave();
    }

    /// Bytes go to the board again.
    fn leave(&mut self) {
        self.state = State::Board(Vec::new());
    }
}

/// Takes the last character off a line; false when there is none.
fn erase(line: &mut Vec<u8>) -> bool {
    let Some(last) = line.pop() else { return false };
    let mut byte = last;
    // The further bytes of a UTF-8 character are 10xxxxxx.
    while byte & 0xc0 == 0x80 {
        match line.pop() {
            Some(before) => byte = before,
            None => break,
        }
    }
    true
}

/// The command that a line is, behind what is put before it.
fn finished(command: &str, line: &[u8]) -> Typed {
    let line = String::from_utf8_lossy(line);
    Typed::Command(format!("{command} {line}").trim_start().to_owned())
}

fn to_board(byte: u8, typed: &mut Vec<Typed>) {
    match typed.last_mut() {
        Some(Typed::Board(bytes)) => bytes.push(byte),
        _ => typed.push(Typed::Board(vec![byte])),
    }
}

fn echo(text: &[u8], typed: &mut Vec<Typed>) {
    match typed.last_mut() {
        Some(Typed::Echo(bytes)) => bytes.extend_from_slice(text),
        _ => typed.push(Typed::Echo(text.to_vec())),
    }
}

#[cfg(test)]
mod tests;
