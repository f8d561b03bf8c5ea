//! What boards print, for a real terminal: everything that shows something, and nothing that makes the
//! terminal answer, or changes what the person at it has.
//!
//! A terminal is a program that takes orders from whoever prints on it. Some of them are answered as
//! if the person had typed the answer (at the board, or, a moment later, at a shell), set the title or
//! the clipboard, program keys, print, or clear what was scrolled away. What is let through is a list
//! ([`judge`]); what is not on it shows nothing. The sequences are those of ECMA-48, of DEC's VT
//! terminals and of xterm's ctlseqs.
//!
//! The terminal is taken to be one of UTF-8. Then the controls of one byte, 0x80 to 0x9f, are none; they
//! become U+FFFD, and so do the characters U+0080 to U+009F, which some terminals obey.

mod judge;
#[cfg(test)]
mod tests;

use self::judge::Verdict;

/// The longest control sequence that is let through, in bytes. A longer one shows nothing.
const MAX_SEQUENCE: usize = 128;
/// The longest string (a title, a clipboard) that shows nothing, in bytes. What follows is text: on a
/// noisy line not everything is lost that comes after what looks like the begin of one.
const MAX_STRING: usize = 4096;
/// What stands for a byte that is no character.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
/// Undoes what a board may have set: soft reset (origin and inserting are of it), wrapping, attributes, the
/// first character set, the cursor, its blinking and its shape, application keys, reverse video and wrapping,
/// margins at the sides, reports of mouse and focus, bracketed paste.
const UNDO: &[u8] =
    b"\x1b[!p\x1b[?7h\x1b[m\x0f\x1b(B\x1b[?25h\x1b[0 q\x1b[?1l\x1b>\x1b[?5l\x1b[?45l\x1b[?69l\x1b[?9l\
    \x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?2004l";
/// Undoes what some terminals have by themselves, if the board has asked for it: arrow keys for the wheel.
const UNDO_WHEEL: &[u8] = b"\x1b[?1007l";
/// Undoes margins where a soft reset does not. That moves the cursor, which is put back.
const UNDO_MARGINS: &[u8] = b"\x1b7\x1b[r\x1b8";

/// Takes bytes as they come, however they are cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tame {
    state: State,
    /// The begin of a character or of a sequence; at most [`MAX_SEQUENCE`] bytes.
    held: Vec<u8>,
    /// The mode by which the board has gone to the terminal's other screen.
    other_screen: Option<u16>,
    /// It has set margins, or asked for arrow keys instead of the wheel.
    margins: bool,
    wheel: bool,
    /// Only what stays within its line passes.
    lines: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC, and its intermediate bytes.
    Escape,
    /// After ESC [.
    Control,
    /// In a control sequence that is too long.
    TooLong,
    /// In a string, of so many bytes until now. It shows nothing.
    String(usize),
}

impl Tame {
    /// For what is shown again in the midst of something else: nothing passes that reaches beyond its line or
    /// outlasts it but colours, which a line may leave behind.
    pub fn of_lines() -> Self {
        Self { lines: true, ..Self::default() }
    }

    /// What the terminal gets of the next bytes, and of those that were held.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            // Most of it is plain text.
            if self.state == State::Text && self.held.is_empty() {
                let plain = rest.iter().position(|byte| !(0x20..0x7f).contains(byte));
                let (plain, other) = rest.split_at(plain.unwrap_or(rest.len()));
                if !plain.is_empty() {
                    out.extend_from_slice(plain);
                    rest = other;
                    continue;
                }
            }
            self.byte(*first, &mut out);
            rest = after;
        }
        out
    }

    /// What makes the terminal as it was, for the end: sequences that are begun are dropped.
    pub fn undo(&mut self) -> Vec<u8> {
        let mut out = UNDO.to_vec();
        for (set, undo) in [(self.wheel, UNDO_WHEEL), (self.margins, UNDO_MARGINS)] {
            out.extend_from_slice(if set { undo } else { b"" });
        }
        if let Some(mode) = self.other_screen {
            out.extend(format!("\x1b[?{mode}l").into_bytes());
        }
        *self = Self { lines: self.lines, ..Self::default() };
        out
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.state, byte) {
            (State::Text, _) => self.text(byte, out),
            // Each of these ends whatever is begun.
            (_, 0x1b) => self.begin(State::Escape, byte),
            (_, 0x18 | 0x1a) => self.end(),
            (State::String(_), 0x07 | b'\n' | b'\r') => {
                // A bell ends a title. A line's end does not, but what comes then is to be seen.
                self.end();
                if byte != 0x07 {
                    out.push(byte);
                }
            }
            (State::String(length), _) if length < MAX_STRING => {
                self.state = State::String(length + 1);
            }
            // A control character within a sequence works at once.
            (State::Escape | State::Control | State::TooLong, 0..0x20) => self.control(byte, out),
            (State::Escape | State::Control | State::TooLong, 0x7f) => {}
            (State::Escape, 0x20..0x30) => self.hold(byte),
            (State::Escape, 0x30..0x7f) => self.escape(byte, out),
            (State::Control, 0x20..0x40) => self.hold(byte),
            (State::Control, 0x40..0x7f) => {
                self.held.push(byte);
                let sequence = std::mem::take(&mut self.held);
                self.state = State::Text;
                self.decide(judge::control_sequence(&sequence), &sequence, out);
            }
            (State::TooLong, 0x20..0x40) => {}
            (State::TooLong, 0x40..0x7f) => self.end(),
            // No sequence goes on so.
            (State::Escape | State::Control | State::TooLong, 0x80..) | (State::String(_), _) => {
                self.end();
                self.text(byte, out);
            }
        }
    }

    fn begin(&mut self, state: State, byte: u8) {
        self.state = state;
        self.held.clear();
        self.held.push(byte);
    }

    fn end(&mut self) {
        self.state = State::Text;
        self.held.clear();
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < MAX_SEQUENCE {
            self.held.push(byte);
        } else {
            self.held.clear();
            self.state = State::TooLong;
        }
    }

    /// The byte that ends an escape sequence, or begins something longer.
    fn escape(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        let sequence = std::mem::take(&mut self.held);
        self.state = State::Text;
        match sequence[..] {
            [_, b'['] => {
                self.held = sequence;
                self.state = State::Control;
            }
            // DCS, SOS, OSC, PM, APC, and the title of screen and tmux.
            [_, b'P' | b'X' | b']' | b'^' | b'_' | b'k'] => self.state = State::String(0),
            _ => self.decide(judge::escape(&sequence), &sequence, out),
        }
    }

    fn decide(&mut self, verdict: Verdict, sequence: &[u8], out: &mut Vec<u8>) {
        match verdict {
            Verdict::Shows | Verdict::Instead(_) | Verdict::Modes { .. }
                if self.lines && !judge::stays_in_line(sequence) => {}
            Verdict::Shows => {
                self.margins |= judge::sets_margins(sequence);
                out.extend_from_slice(sequence);
            }
            Verdict::Instead(other) => out.extend_from_slice(&other),
            Verdict::Modes { on, modes } => {
                let other = modes.iter().rev().find(|mode| matches!(mode, 47 | 1047 | 1049));
                if let Some(mode) = other.copied() {
                    self.other_screen = on.then_some(mode);
                }
                if modes.contains(&judge::WHEEL) {
                    self.wheel = on;
                }
                let modes: Vec<String> = modes.iter().map(ToString::to_string).collect();
                let end = if on { 'h' } else { 'l' };
                out.extend(format!("\x1b[?{}{end}", modes.join(";")).into_bytes());
            }
            Verdict::Harms => {}
        }
    }

    fn text(&mut self, byte: u8, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.held.push(byte);
            match std::str::from_utf8(&self.held) {
                Ok(character) => {
                    let harms = character.chars().any(char::is_control);
                    out.extend_from_slice(if harms { REPLACEMENT } else { &self.held });
                    self.held.clear();
                }
                // It goes on well.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => {
                    self.held.pop();
                    let begun = std::mem::take(&mut self.held);
                    begun.into_iter().for_each(|byte| no_character(byte, out));
                    self.text(byte, out);
                }
            }
            return;
        }
        match byte {
            0x1b => self.begin(State::Escape, byte),
            0..0x20 => self.control(byte, out),
            0x20..0x80 => out.push(byte),
            // The begin of a character.
            0xc2..0xf5 => self.held.push(byte),
            _ => no_character(byte, out),
        }
    }

    /// A control character: ENQ ("who are you?") is answered, and CAN begins a transfer in some terminals.
    /// Shifts to another character set outlast their line.
    fn control(&self, byte: u8, out: &mut Vec<u8>) {
        let harms = matches!(byte, 0x05 | 0x18 | 0x1a) || self.lines && matches!(byte, 0x0e | 0x0f);
        if !harms {
            out.push(byte);
        }
    }
}

/// A byte that is no part of a character. Those of other character sets are left as they are.
fn no_character(byte: u8, out: &mut Vec<u8>) {
    match byte {
        0x80..0xa0 => out.extend_from_slice(REPLACEMENT),
        _ => out.push(byte),
    }
}
