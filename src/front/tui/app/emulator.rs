//! A board's screen: its bytes in, cells out. Nothing of what a board prints gets any further.

use std::num::NonZeroU16;

/// What is emulated is at least so large, as boards take their terminals to be: rows and columns.
const LEAST: (u16, u16) = (24, 80);
/// … and at most so large.
const MOST: u16 = 500;
/// The longest command in a string (a title, a clipboard) that is listened to, in bytes.
const MAX_STRING: usize = 4096;
const CANCEL: u8 = 0x18;

pub(in super::super) struct Emulator {
    /// It answers nothing, and has no callbacks: titles, clipboards, bells and questions end here.
    terminal: vt100::Parser,
    leash: Leash,
}

/// Breaks off strings that do not end: a terminal would keep all of them.
#[derive(Debug, Default)]
enum Leash {
    #[default]
    Text,
    Escape,
    /// So many bytes of a string have come.
    String(usize),
}

impl Emulator {
    /// `room` is the rows and columns in which it is shown.
    pub(in super::super) fn new(room: (u16, u16)) -> Self {
        let (rows, columns) = size(room);
        Self { terminal: vt100::Parser::new(rows, columns, 0), leash: Leash::Text }
    }

    pub(in super::super) fn screen(&self) -> &vt100::Screen {
        self.terminal.screen()
    }

    pub(in super::super) fn resize(&mut self, room: (u16, u16)) {
        let (rows, columns) = size(room);
        if self.screen().size() != (rows, columns) {
            self.terminal.set_size(rows, columns);
        }
    }

    pub(in super::super) fn cells(&self) -> usize {
        let (rows, columns) = self.screen().size();
        usize::from(rows.get()) * usize::from(columns.get())
    }

    /// Begins anew with what draws a screen.
    pub(in super::super) fn redraw(&mut self, draw: &[u8]) {
        let (rows, columns) = self.screen().size();
        *self = Self { terminal: vt100::Parser::new(rows, columns, 0), leash: Leash::Text };
        self.feed(draw);
    }

    pub(in super::super) fn feed(&mut self, bytes: &[u8]) {
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            self.leash = match (&self.leash, *byte) {
                (_, 0x1b) => Leash::Escape,
                (Leash::Escape, b']' | b'P' | b'X' | b'^' | b'_') => Leash::String(0),
                (Leash::String(_), 0x07 | CANCEL | 0x1a) => Leash::Text,
                (Leash::String(MAX_STRING), _) => {
                    self.terminal.process(&bytes[begin..at]);
                    self.terminal.process(&[CANCEL]);
                    begin = at;
                    Leash::Text
                }
                (Leash::String(length), _) => Leash::String(length + 1),
                (Leash::Text | Leash::Escape, _) => Leash::Text,
            };
        }
        self.terminal.process(&bytes[begin..]);
    }
}

/// The rows and columns to ask for and to emulate, for a room of so many.
pub(in super::super) fn size((rows, columns): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    let of = |room: u16, least: u16| NonZeroU16::new(room.clamp(least, MOST));
    let one = NonZeroU16::MIN;
    (of(rows, LEAST.0).unwrap_or(one), of(columns, LEAST.1).unwrap_or(one))
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.screen().size();
        f.debug_struct("Emulator").field("size", &size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first_row(emulator: &Emulator) -> String {
        emulator.screen().rows(0, 80).next().unwrap()
    }

    #[test]
    fn strings_without_end_are_broken_off() {
        let mut emulator = Emulator::new((24, 80));
        emulator.feed(b"\x1b]52;c;");
        for _ in 0..10_000 {
            emulator.feed(&[b'A'; 1024]);
        }
        emulator.feed(b"\r\n\x1b[H\x1b[2Jlogin: ");
        assert_eq!(first_row(&emulator), "login: ");
        emulator.feed(b"\r\x1b]0;title\x07\x1b]2;x\x1b\\\x1b[6n\x05ok");
        assert_eq!(first_row(&emulator), "okgin: ");
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_size_make_it_panic(
            steps in proptest::collection::vec((
                proptest::collection::vec(prop_oneof![
                    4 => any::<u8>(), 2 => Just(0x1b), 2 => Just(b'['), 1 => Just(b']'),
                    2 => prop::sample::select(b"0123456789;?hlmABCDHJKLMPSTXr".to_vec()),
                ], 0..200), 0..600_u16, 0..600_u16), 0..8),
        ) {
            let mut emulator = Emulator::new((1, 1));
            for (bytes, rows, columns) in steps {
                emulator.feed(&bytes);
                emulator.resize((rows, columns));
                let draw = emulator.screen().state_formatted();
                emulator.redraw(draw.as_bytes());
            }
        }
    }
}
