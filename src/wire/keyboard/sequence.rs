//! The first key, click or sequence of some bytes.

use super::{Code, ESC, Found, Input, Key, MAX_SEQUENCE, Mouse, MouseWhat};

/// `bytes` are not empty.
pub(super) fn first(bytes: &[u8]) -> Found {
    match bytes[0] {
        ESC => escape(bytes),
        0x80.. => utf8(bytes, false),
        byte => Found::Input(1, Input::Key(plain(byte))),
    }
}

/// A key of one byte.
fn plain(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::new(Code::Enter),
        b'\t' => Key::new(Code::Tab),
        0x7f | 0x08 => Key::new(Code::Backspace),
        0 => Key::ctrl(' '),
        0x01..=0x1a => Key::ctrl(char::from(byte | 0x60)),
        0x1b..0x20 => Key::ctrl(char::from(byte | 0x40)),
        _ => Key::char(char::from(byte)),
    }
}

fn escape(bytes: &[u8]) -> Found {
    match bytes.get(1) {
        None => Found::More,
        Some(b'[') => csi(bytes),
        Some(b'O') => ss3(bytes),
        // Two of them are two keys.
        Some(&ESC) => Found::Input(1, Input::Key(Key::new(Code::Esc))),
        Some(0x80..) => utf8(bytes, true),
        Some(byte) => Found::Input(2, Input::Key(Key { alt: true, ..plain(*byte) })),
    }
}

/// A character of several bytes, behind an Escape if it is typed with Alt.
fn utf8(bytes: &[u8], alt: bool) -> Found {
    let skip = usize::from(alt);
    let rest = &bytes[skip..];
    let length = match rest[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Found::Input(skip + 1, Input::Unknown),
    };
    let there = &rest[..length.min(rest.len())];
    match std::str::from_utf8(there) {
        Ok(text) => {
            let c = text.chars().next().unwrap_or('\u{fffd}');
            Found::Input(skip + length, Input::Key(Key { alt, ..Key::char(c) }))
        }
        Err(error) if error.error_len().is_none() => Found::More,
        Err(_) => Found::Input(skip + 1, Input::Unknown),
    }
}

/// `ESC O P` is F1; so are the arrows of a keypad in application mode.
fn ss3(bytes: &[u8]) -> Found {
    let Some(byte) = bytes.get(2) else { return Found::More };
    match letter(*byte) {
        Some(code) => Found::Input(3, Input::Key(Key::new(code))),
        None if byte.is_ascii_graphic() => Found::Input(3, Input::Unknown),
        // Alt-O, and then something else.
        None => Found::Input(2, Input::Key(Key { alt: true, ..Key::char('O') })),
    }
}

/// `ESC [`, parameters, and a letter that says what it is.
fn csi(bytes: &[u8]) -> Found {
    // The Linux console's F1 to F5: ESC [ [ A.
    if bytes.get(2) == Some(&b'[') {
        return match bytes.get(3) {
            None => Found::More,
            Some(byte @ b'A'..=b'E') => {
                Found::Input(4, Input::Key(Key::new(Code::F(byte - b'A' + 1))))
            }
            Some(_) => Found::Input(3, Input::Unknown),
        };
    }
    let within = &bytes[2..bytes.len().min(MAX_SEQUENCE)];
    let Some(end) = within.iter().position(|byte| !(0x20..0x40).contains(byte)) else {
        // What is too long is none: what follows is looked at again.
        let whole = bytes.len() >= MAX_SEQUENCE;
        return if whole { Found::Input(MAX_SEQUENCE, Input::Unknown) } else { Found::More };
    };
    let (parameters, last) = (&within[..end], within[end]);
    if !(0x40..0x7f).contains(&last) {
        // A control character in the middle of it: the sequence is broken off.
        return Found::Input(2 + end, Input::Unknown);
    }
    let input = match parameters.strip_prefix(b"<") {
        Some(parameters) if matches!(last, b'M' | b'm') => mouse(parameters, last == b'm'),
        _ => key(parameters, last),
    };
    Found::Input(3 + end, input)
}

fn key(parameters: &[u8], last: u8) -> Input {
    let mut numbers = numbers(parameters);
    let (first, second) = (numbers.next(), numbers.next());
    let code = match last {
        b'~' => first.and_then(numbered),
        b'Z' => Some(Code::Tab),
        letter_ => letter(letter_),
    };
    let Some(code) = code else { return Input::Unknown };
    // 1 and a bit each for shift, alt and ctrl.
    let held = second.unwrap_or(1).saturating_sub(1);
    let shift = held & 1 != 0 || last == b'Z';
    Input::Key(Key { code, shift, alt: held & 2 != 0, ctrl: held & 4 != 0 })
}

fn letter(letter: u8) -> Option<Code> {
    Some(match letter {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'F' => Code::End,
        b'H' => Code::Home,
        b'M' => Code::Enter,
        b'P'..=b'S' => Code::F(letter - b'P' + 1),
        _ => return None,
    })
}

fn numbered(number: u16) -> Option<Code> {
    Some(match number {
        1 | 7 => Code::Home,
        2 => Code::Insert,
        3 => Code::Delete,
        4 | 8 => Code::End,
        5 => Code::PageUp,
        6 => Code::PageDown,
        11..=15 => Code::F(number as u8 - 10),
        17..=21 => Code::F(number as u8 - 11),
        23 | 24 => Code::F(number as u8 - 12),
        _ => return None,
    })
}

/// `button;column;row`, counted from 1.
fn mouse(parameters: &[u8], released: bool) -> Input {
    let mut numbers = numbers(parameters);
    let (Some(button), Some(column), Some(row)) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return Input::Unknown;
    };
    // The bits of shift, alt and ctrl say nothing here.
    let what = match button & !0x1c {
        0 if released => MouseWhat::Release,
        0 => MouseWhat::Press,
        64 => MouseWhat::WheelUp,
        65 => MouseWhat::WheelDown,
        _ => MouseWhat::Other,
    };
    Input::Mouse(Mouse { what, column: column.saturating_sub(1), row: row.saturating_sub(1) })
}

fn numbers(parameters: &[u8]) -> impl Iterator<Item = u16> {
    parameters.split(|byte| *byte == b';').map_while(|digits| {
        let text = std::str::from_utf8(digits).ok()?;
        if text.is_empty() { Some(1) } else { text.parse().ok() }
    })
}
