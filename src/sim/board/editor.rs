//! Editing one line at a prompt: echo, erase, kill, interrupt.

use super::super::line::{CTRL_C, Uart};

/// The longest line, in bytes, as of a terminal in Linux's line discipline. More is not echoed.
const MAX_LINE: usize = 4095;

/// What a person made of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// A line that is being typed. Knows no terminal: bytes in, echo and lines out.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<u8>,
    /// Inside an escape sequence, such as an arrow key's: swallowed.
    escape: Escape,
    /// The last byte was a CR: an LF right after it belongs to it.
    after_cr: bool,
    /// Passwords are not echoed.
    hidden: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// After `ESC [`.
    Inside,
}

impl Editor {
    /// One that does not echo.
    pub(super) fn hidden() -> Self {
        Self { hidden: true, ..Self::default() }
    }

    /// Takes one byte; gives what to echo, and what was typed if that is complete now.
    pub(super) fn input(&mut self, byte: u8) -> (Vec<u8>, Option<Typed>) {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match (self.escape, byte) {
            (Escape::None, _) => {}
            (Escape::Begun, b'[' | b'O') => return self.escape(Escape::Inside),
            (Escape::Inside, 0x20..=0x3f) => return self.escape(Escape::Inside),
            _ => return self.escape(Escape::None),
        }
        match byte {
            b'\n' if after_cr => (Vec::new(), None),
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line).into_owned();
                (b"\r\n".to_vec(), Some(Typed::Line(line)))
            }
            CTRL_C => {
                self.line.clear();
                (b"^C\r\n".to_vec(), Some(Typed::Interrupt))
            }
            0x04 if self.line.is_empty() => (b"\r\n".to_vec(), Some(Typed::End)),
            0x08 | 0x7f => (self.erase(1), None),
            // Ctrl-U and Ctrl-W.
            0x15 => (self.erase(usize::MAX), None),
            0x17 => {
                let kept = self.line.trim_ascii_end();
                let word = kept.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
                let columns = columns(&self.line[word..]);
                (self.erase(columns), None)
            }
            0x1b => self.escape(Escape::Begun),
            b'\t' | 0x20.. if self.line.len() < MAX_LINE => {
                self.line.push(byte);
                (if self.hidden { Vec::new() } else { vec![byte] }, None)
            }
            _ => (Vec::new(), None),
        }
    }

    fn escape(&mut self, state: Escape) -> (Vec<u8>, Option<Typed>) {
        self.escape = state;
        (Vec::new(), None)
    }

    /// Takes up to so many characters off the end.
    fn erase(&mut self, characters: usize) -> Vec<u8> {
        let mut echo = Vec::new();
        for _ in 0..characters {
            // The bytes of a character after its first are 0b10xxxxxx.
            while self.line.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
                self.line.pop();
            }
            if self.line.pop().is_none() {
                break;
            }
            if !self.hidden {
                echo.extend(b"\x08 \x08");
            }
        }
        echo
    }
}

/// Prompts for a line and reads it. Cancel safe in the sense of a power cut: all is lost.
pub(super) async fn ask(uart: &mut Uart, prompt: &str, editor: &mut Editor) -> Typed {
    uart.print(prompt).await;
    loop {
        let byte = uart.read().await;
        let (echo, typed) = editor.input(byte);
        uart.write(&echo).await;
        if let Some(typed) = typed {
            return typed;
        }
    }
}

fn columns(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types into a fresh editor; the echo, and all that was completed.
    fn type_in(text: &str) -> (String, Vec<Typed>) {
        let mut editor = Editor::default();
        let (mut echo, mut typed) = (Vec::new(), Vec::new());
        for byte in text.bytes() {
            let (piece, done) = editor.input(byte);
            echo.extend(piece);
            typed.extend(done);
        }
        (String::from_utf8(echo).unwrap(), typed)
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.into())
    }

    #[test]
    fn a_line_ends_once_however_it_is_ended() {
        assert_eq!(type_in("a\r\nb\rc\n\n").1, [line("a"), line("b"), line("c"), line("")]);
    }

    #[test]
    fn backspace_ctrl_w_and_ctrl_u_edit_and_the_echo_follows() {
        let (echo, typed) = type_in("prünt\x7f\x7f\x7fintenv\r");
        assert_eq!(typed, [line("printenv")]);
        assert_eq!(echo, "prünt\x08 \x08\x08 \x08\x08 \x08intenv\r\n");
        assert_eq!(type_in("one two \x17three\r").1, [line("one three")]);
        assert_eq!(type_in("one two\x15three\r").1, [line("three")]);
        assert_eq!(type_in("\x08\x08x\r"), ("x\r\n".into(), vec![line("x")]));
    }

    #[test]
    fn ctrl_c_drops_the_line_and_ctrl_d_only_ends_an_empty_one() {
        assert_eq!(type_in("rm\x03ls\r").1, [Typed::Interrupt, line("ls")]);
        assert_eq!(type_in("a\x04\r\x04").1, [line("a"), Typed::End]);
    }

    #[test]
    fn arrow_keys_leave_no_trace() {
        assert_eq!(type_in("l\x1b[A\x1bOBs\x1b[1;5C\r"), ("ls\r\n".into(), vec![line("ls")]));
    }

    #[test]
    fn a_password_is_not_echoed() {
        let mut editor = Editor::hidden();
        let echo: Vec<u8> = "se\x7fcret".bytes().flat_map(|byte| editor.input(byte).0).collect();
        assert_eq!(echo, b"");
        assert_eq!(editor.input(b'\r').1, Some(line("scret")));
    }
}
