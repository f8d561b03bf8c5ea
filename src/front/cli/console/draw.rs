//! The board's screen on a person's terminal, below the lines that greet.

use crate::client::attach::Screen;

/// So many rows are kept for the greeting: the screen is asked for with so many fewer.
pub(super) const GREETING_ROWS: u16 = 4;

/// Bytes that show the greeting and below it the screen, its cursor where the board has it. What
/// was on the terminal is scrolled up, not erased. A blank screen only gets the greeting.
pub(super) fn greet(greeting: &[String], screen: Option<&Screen>) -> Vec<u8> {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push_str("\r\n");
    };
    let Some(screen) = screen.filter(|screen| shows_something(&screen.draw)) else {
        greeting.iter().for_each(|text| line(text));
        return out.into_bytes();
    };
    let scrolled = greeting.len().saturating_sub(GREETING_ROWS.into());
    let (scrolled, kept) = greeting.split_at(scrolled);
    scrolled.iter().for_each(|text| line(text));
    (0..screen.rows.get() + GREETING_ROWS).for_each(|_| line(""));
    out.push_str("\x1b[H");
    for text in kept {
        out.push_str(text);
        out.push_str("\r\n");
    }
    out.push_str(&lowered(&screen.draw, kept.len()));
    out.into_bytes()
}

fn shows_something(draw: &str) -> bool {
    let mut rest = draw;
    while let Some(first) = rest.chars().next() {
        match control_sequence(rest) {
            Some((sequence, after)) => {
                rest = after;
                // Clearing and moving shows nothing by itself.
                debug_assert!(!sequence.is_empty());
            }
            None if first > ' ' && first != '\x7f' => return true,
            None => rest = &rest[first.len_utf8()..],
        }
    }
    false
}

/// The same drawing so many rows further down: only moves to absolute positions differ.
fn lowered(draw: &str, rows: usize) -> String {
    let mut out = String::with_capacity(draw.len());
    let mut rest = draw;
    while let Some(first) = rest.chars().next() {
        let Some((sequence, after)) = control_sequence(rest) else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = after;
        match sequence.strip_prefix("\x1b[").and_then(|s| s.strip_suffix('H')) {
            Some(position) => {
                let (row, column) = position.split_once(';').unwrap_or((position, ""));
                let row = row.parse().unwrap_or(1_usize) + rows;
                let column = column.parse().unwrap_or(1_usize);
                out.push_str(&format!("\x1b[{row};{column}H"));
            }
            None => out.push_str(sequence),
        }
    }
    out
}

/// The control sequence that a text begins with (`ESC [ … letter`, `ESC x`), and what follows it.
fn control_sequence(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('\x1b')?;
    let end = match rest.strip_prefix('[') {
        Some(arguments) => {
            let end = arguments.find(|c: char| ('\x40'..='\x7e').contains(&c));
            end.map_or(text.len(), |at| at + 3)
        }
        None => 1 + rest.chars().next().map_or(0, char::len_utf8),
    };
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn screen(draw: &str) -> Screen {
        let size = |n| NonZeroU16::new(n).unwrap();
        Screen { offset: 0, rows: size(20), cols: size(80), draw: draw.into() }
    }

    fn shown(greeting: &[&str], draw: &str) -> String {
        let greeting: Vec<String> = greeting.iter().map(|line| (*line).to_owned()).collect();
        let bytes = greet(&greeting, Some(&screen(draw)));
        let mut terminal =
            vt100::Parser::new(NonZeroU16::new(24).unwrap(), NonZeroU16::new(80).unwrap(), 0);
        terminal.process(b"$ lava-console panda01\r\n");
        terminal.process(&bytes);
        terminal.process(b"|");
        terminal.screen().contents().trim_end().to_owned()
    }

    #[test]
    fn the_screen_is_below_the_greeting_and_the_cursor_where_the_board_has_it() {
        let draw = "\x1b[?25h\x1b[m\x1b[H\x1b[JU-Boot\r\n\x1b[31mred\x1b[m\x1b[4;3Hlast\x1b[2;1H";
        assert_eq!(shown(&["Connected"], draw), "Connected\nU-Boot\n|ed\n\n  last");
        let many = ["1", "2", "3", "4", "5", "6"];
        assert_eq!(shown(&many, "\x1b[H\x1b[J=> "), "3\n4\n5\n6\n=> |");
    }

    #[test]
    fn a_blank_screen_does_not_scroll_the_terminal() {
        let shown = shown(&["Connected"], "\x1b[?25h\x1b[m\x1b[H\x1b[J");
        assert_eq!(shown, "$ lava-console panda01\nConnected\n|");
    }
}
