//! What a conmux client types: `~$` escapes, and between them bytes for the board.
//!
//! Programs end their commands with CR LF, or with the NUL of a C string behind the line. Neither the LF
//! nor the NUL is for the board: it would stop a boot loader's countdown.

use super::super::escape::{Escapes, Typed};

/// A command that is typed at the moment can be given away when it took no more keys than this.
const MAX_BEGUN: usize = 4096;

/// Recognises the escapes of one client. The result does not depend on how the bytes are cut into
/// pieces.
#[derive(Debug)]
pub struct Typing {
    escapes: Escapes,
    after: After,
    /// The keys of the escape that is being typed.
    begun: Vec<u8>,
}

/// What was typed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// A command and CR: an LF or NUL may follow that belongs to it.
    Return,
    /// A command or a request with its whole end, but for a NUL.
    Line,
    Other,
}

impl Typing {
    /// Behind a CONNECT. `title` is the board's name in the prompt.
    pub fn new(title: &str) -> Self {
        Self { escapes: Escapes::new(title), after: After::Line, begun: Vec::new() }
    }

    /// Goes on where another one has come to, from what [`Self::begun`] gave.
    pub fn resume(title: &str, begun: &[u8]) -> Self {
        let mut typing = Self { after: After::Other, ..Self::new(title) };
        typing.feed(begun);
        typing
    }

    /// Takes bytes as they were typed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        let mut rest = self.skip(bytes);
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (piece, after) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            let in_command = self.escapes.in_command();
            let fed = self.escapes.feed(piece);
            if let Some(Typed::Command(_)) = fed.last() {
                let returned = piece.ends_with(b"\r");
                self.after = if returned { After::Return } else { After::Line };
            }
            self.note(piece, in_command);
            typed.extend(fed);
            rest = self.skip(after);
        }
        typed
    }

    /// Whether a `~` is held. The caller may [`Self::release`] it when nothing follows for a while.
    pub fn holds(&self) -> bool {
        self.escapes.holds()
    }

    /// Gives up a held `~` to the board.
    pub fn release(&mut self) -> Option<Typed> {
        self.begun.clear();
        self.escapes.release()
    }

    /// Nothing more comes: a held `~` goes to the board. An unfinished command is not carried out,
    /// since it may be the connection that has ended it.
    pub fn finish(&mut self) -> Option<Typed> {
        self.release()
    }

    /// What was typed of an escape so far. A command that took very many keys is given up.
    pub fn begun(&self) -> &[u8] {
        if self.begun.len() > MAX_BEGUN { &[] } else { &self.begun }
    }

    fn skip<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some((first, rest)) = bytes.split_first() {
            self.after = match (self.after, first) {
                (After::Return, b'\n') => After::Line,
                (After::Return | After::Line, 0) => After::Other,
                _ => {
                    self.after = After::Other;
                    break;
                }
            };
            bytes = rest;
        }
        bytes
    }

    /// Notes what [`Self::begun`] is to give.
    fn note(&mut self, piece: &[u8], in_command: bool) {
        if self.escapes.holds() {
            self.begun = b"~".to_vec();
        } else if !self.escapes.in_command() {
            self.begun.clear();
        } else if in_command {
            let room = (MAX_BEGUN + 1).saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
        } else {
            // There may be a held `~` already.
            self.begun.extend_from_slice(piece);
            let begin = self.begun.windows(2).position(|keys| keys == b"~$");
            self.begun.drain(..begin.unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(text: &str) -> (String, Vec<String>) {
        let mut typing = Typing::new("b");
        let mut all = typing.feed(text.as_bytes());
        all.extend(typing.finish());
        summed(all)
    }

    /// What the board gets, and the commands.
    fn summed(all: Vec<Typed>) -> (String, Vec<String>) {
        let (mut board, mut commands) = (String::new(), Vec::new());
        for typed in all {
            match typed {
                Typed::Board(bytes) => board.extend(bytes.into_iter().map(char::from)),
                Typed::Command(command) => commands.push(command),
                Typed::Echo(_) => {}
            }
        }
        (board, commands)
    }

    #[test]
    fn what_ends_a_command_is_not_for_the_board() {
        let commands = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        for end in ["\n", "\r", "\r\n", "\n\0", "\r\n\0", "\r\0"] {
            let text = format!("a~$off{end}b~$on{end}\n\0");
            assert_eq!(typed(&text).1, commands(&["off", "on"]), "{end:?}");
            let (board, _) = typed(&text.replace('\0', ""));
            assert!(board.starts_with("ab"), "{end:?}: {board:?}");
        }
        assert_eq!(typed("~$off\n\0\0x\n\n").0, "\0x\n\n");
        assert_eq!(typed("\0ls\r\n").0, "ls\r\n");
        assert_eq!(typed("~$off"), (String::new(), Vec::new()));
        assert_eq!(typed("x~").0, "x~");
    }

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let likely = proptest::sample::select(b"~$\r\n\x03\x08ax \x00".to_vec());
        proptest::collection::vec(prop_oneof![8 => likely, 1 => any::<u8>()], 0..60)
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter_nor_does_another_process(keys in keys(), cut in 0..60_usize) {
            let (one, two) = keys.split_at(cut.min(keys.len()));
            let mut whole = Typing::new("b");
            let expected = summed(whole.feed(&keys));
            let mut typing = Typing::new("b");
            let mut all = typing.feed(one);
            let after = typing.after;
            let mut next = Typing::resume("b", typing.begun());
            // What belongs to the line before is not known there, and is rare enough.
            next.after = after;
            let mut elsewhere = all.clone();
            elsewhere.extend(next.feed(two));
            all.extend(typing.feed(two));
            prop_assert_eq!(summed(all), expected.clone());
            prop_assert_eq!(summed(elsewhere), expected);
        }

        #[test]
        fn what_is_no_escape_reaches_the_board_unchanged(keys in keys()) {
            prop_assume!(!keys.windows(2).any(|pair| pair == b"~$") && keys.first() != Some(&0));
            let mut typing = Typing::new("b");
            let mut all = typing.feed(&keys);
            all.extend(typing.finish());
            let expected: String = keys.iter().copied().map(char::from).collect();
            prop_assert_eq!(summed(all).0, expected);
        }
    }
}
