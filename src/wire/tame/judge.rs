//! Which sequences only show something.

/// Modes (`ESC [ ? … h`) that a program on the board may set: application cursor keys, reverse video,
/// origin, wrapping, the cursor and its blinking, reverse wrapping, the other screen, margins, reports of
/// the mouse and of focus, bracketed paste. Each is undone at the end.
pub(super) const MODES: &[u16] = &[
    1, 5, 6, 7, 9, 12, 25, 45, 47, 66, 69, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016,
    1047, 1048, 1049, 2004,
];
/// The mouse's wheel gives arrow keys on the other screen.
pub(super) const WHEEL: u16 = 1007;
/// The most digits of a number: cursors are sent far away to find out where the corner is.
const MAX_DIGITS: usize = 5;
/// As often as that a character may be repeated (`ESC [ n b`), in digits.
const MAX_REPEAT: usize = 3;
/// A full reset (`ESC c`) also takes what was scrolled away, in many terminals. A soft one and a clear
/// screen look the same.
const SOFT_RESET: &[u8] = b"\x1b[!p\x1b[?7h\x1b[m\x0f\x1b(B\x1b[H\x1b[2J";

/// What becomes of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Shows,
    Instead(Vec<u8>),
    /// `ESC [ ? … h` or `l`, with those of its modes that are let through; there is at least one.
    Modes {
        on: bool,
        modes: Vec<u16>,
    },
    Harms,
}

/// A sequence of ESC, intermediate bytes and a final one.
pub(super) fn escape(sequence: &[u8]) -> Verdict {
    match sequence {
        [_, b'c'] => Verdict::Instead(SOFT_RESET.to_vec()),
        // Save and restore, line feeds, tabs, keypad, shifts between character sets.
        [
            _,
            b'6'..=b'9'
            | b'='
            | b'>'
            | b'D'
            | b'E'
            | b'H'
            | b'M'
            | b'N'
            | b'O'
            | b'n'
            | b'o'
            | b'|'
            | b'}'
            | b'~',
        ] => Verdict::Shows,
        // Which characters a set has; lines of double size, and the pattern to align screens.
        [_, b'(' | b')' | b'*' | b'+' | b'-' | b'.' | b'/', ..] if sequence.len() <= 4 => {
            Verdict::Shows
        }
        [_, b'#', b'3'..=b'6' | b'8'] => Verdict::Shows,
        // Among others: ESC Z is answered; ESC % @ leaves UTF-8; ESC SP G has eight bits answered.
        _ => Verdict::Harms,
    }
}

/// A sequence of ESC [, parameters, intermediate bytes and a final one.
pub(super) fn control_sequence(sequence: &[u8]) -> Verdict {
    let Some((end, body)) = sequence.get(2..).and_then(<[u8]>::split_last) else {
        return Verdict::Harms;
    };
    let between = body.iter().position(|byte| *byte < 0x30).unwrap_or(body.len());
    let (parameters, between) = body.split_at(between);
    let mark = parameters.first().filter(|byte| (b'<'..=b'?').contains(byte)).copied();
    let numbers = &parameters[usize::from(mark.is_some())..];
    let digits = if *end == b'b' { MAX_REPEAT } else { MAX_DIGITS };
    let plain = numbers.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'))
        && numbers.split(|byte| !byte.is_ascii_digit()).all(|number| number.len() <= digits);
    let several = numbers.contains(&b';');
    let shows = match (mark, between, end) {
        _ if !plain => false,
        // Colours have parts behind colons; nothing else has.
        (None, [], b'm') => true,
        _ if numbers.contains(&b':') => false,
        // Moves, erases, inserts, deletes, tabs, margins, saves and restores the cursor.
        (None, [], b'@'..=b'I' | b'K'..=b'M' | b'P' | b'S' | b'X' | b'Z' | b'`'..=b'b') => true,
        (None, [], b'd'..=b'g' | b'r' | b's') => true,
        (None, [], b'u') => numbers.is_empty(),
        // Erases the screen, but not what was scrolled away.
        (None, [], b'J') => !numbers.split(|byte| *byte == b';').any(|number| number == b"3"),
        // With several numbers the terminal waits for the mouse.
        (None, [], b'T') => !several,
        // Inserting. Others lock the keyboard, echo, or change what Enter is.
        (None, [], b'h' | b'l') => numbers == b"4",
        (Some(b'?'), [], b'J' | b'K') => true,
        (Some(b'?'), [], b'h' | b'l') => return modes(numbers, *end == b'h'),
        // Soft reset, the cursor's shape, protection from erasing.
        (None, b"!", b'p') => numbers.is_empty(),
        (None, b" " | b"\"", b'q') => true,
        // Among others: c, n, x, t and $p are answered; i prints; >m and >u change what keys are.
        _ => false,
    };
    if shows { Verdict::Shows } else { Verdict::Harms }
}

fn modes(numbers: &[u8], on: bool) -> Verdict {
    let numbers = numbers.split(|byte| *byte == b';');
    let number = |number: &[u8]| std::str::from_utf8(number).ok()?.parse::<u16>().ok();
    let modes: Vec<u16> = numbers.filter_map(number).filter(|mode| MODES.contains(mode)).collect();
    if modes.is_empty() { Verdict::Harms } else { Verdict::Modes { on, modes } }
}

/// Whether a sequence that shows something changes nothing but its line, and colours.
pub(super) fn stays_in_line(sequence: &[u8]) -> bool {
    let [_, b'[', parameters @ .., end] = sequence else { return false };
    let plain = parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
    // Colours, erasing and moving within the line, inserting, deleting and repeating characters.
    plain && b"mKXP@CDG`ab".contains(end)
}

/// Whether a sequence sets the lines that scroll.
pub(super) fn sets_margins(sequence: &[u8]) -> bool {
    matches!(sequence, [_, b'[', _, .., b'r'])
}
