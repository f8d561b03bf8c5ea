//! The cells of a terminal's row as spans of text that look alike.

use crate::wire::view::{Colour, Span, style};

/// A row of what is visible; blank cells at its end are left out.
pub(super) fn row(screen: &vt100::Screen, row: u16) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // Where the last span ends that shows anything, and how long its text is up to there.
    let mut shown = (0, 0);
    for col in 0..screen.size().1.get() {
        let Some(cell) = screen.cell(row, col) else { break };
        if cell.is_wide_continuation() {
            continue;
        }
        let (looks, fg, bg) = look(cell);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match spans.last_mut() {
            Some(Span(all, same, f, b))
                if (*same, *f, *b) == (looks, fg, bg) && looks & style::WIDE == 0 =>
            {
                all.push_str(text);
            }
            _ => spans.push(Span(text.to_owned(), looks, fg, bg)),
        }
        let visible = style::UNDERLINE | style::INVERSE;
        if text != " " || bg.is_some() || looks & visible != 0 {
            shown = (spans.len(), spans.last().map_or(0, |span| span.0.len()));
        }
    }
    spans.truncate(shown.0);
    if let Some(last) = spans.last_mut() {
        last.0.truncate(shown.1);
    }
    spans
}

fn look(cell: &vt100::Cell) -> (u8, Option<Colour>, Option<Colour>) {
    let bits = [
        (cell.bold(), style::BOLD),
        (cell.dim(), style::DIM),
        (cell.italic(), style::ITALIC),
        (cell.underline(), style::UNDERLINE),
        (cell.inverse(), style::INVERSE),
        (cell.is_wide(), style::WIDE),
    ];
    let looks = bits.iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum();
    (looks, colour(cell.fgcolor()), colour(cell.bgcolor()))
}

fn colour(colour: vt100::Color) -> Option<Colour> {
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Idx(number) => Some(Colour::Indexed(number)),
        vt100::Color::Rgb(red, green, blue) => Some(Colour::Rgb([red, green, blue])),
    }
}

/// The rows that have left the screen, oldest first; they are forgotten by it.
pub(super) fn take_scrolled<CB: vt100::Callbacks>(
    parser: &mut vt100::Parser<CB>,
) -> Vec<Vec<Span>> {
    let screen = parser.screen_mut();
    let count = screen.scrollback_len();
    let mut rows = Vec::with_capacity(count);
    while rows.len() < count {
        // What is that far above the screen comes first of what is visible.
        screen.set_scrollback(count - rows.len());
        let visible = usize::from(screen.size().0.get()).min(count - rows.len());
        rows.extend((0..visible).map(|at| row(screen, at as u16)));
    }
    screen.set_scrollback(0);
    screen.clear_scrollback();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn rows(text: &str) -> Vec<Vec<Span>> {
        let size = |n| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(3), size(10), 100);
        parser.process(text.as_bytes());
        (0..3).map(|at| row(parser.screen(), at)).collect()
    }

    fn plain(text: &str) -> Span {
        Span(text.into(), 0, None, None)
    }

    #[test]
    fn what_looks_alike_is_one_span_and_blanks_at_the_end_are_none() {
        let found = rows("a b   \r\n\x1b[1;31mred\x1b[0m x\r\n\x1b[7m  \x1b[0m");
        let red = Span("red".into(), style::BOLD, Some(Colour::Indexed(1)), None);
        assert_eq!(found[0], [plain("a b")]);
        assert_eq!(found[1], [red, plain(" x")]);
        assert_eq!(found[2], [Span("  ".into(), style::INVERSE, None, None)]);
    }

    #[test]
    fn a_wide_character_is_a_span_of_its_own() {
        let wide = |text: &str| Span(text.into(), style::WIDE, None, None);
        assert_eq!(rows("a漢字b")[0], [plain("a"), wide("漢"), wide("字"), plain("b")]);
    }

    #[test]
    fn what_has_left_the_screen_is_taken_once_and_in_its_order() {
        let size = |n| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(3), size(10), 100);
        parser.process(b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9");
        let taken = take_scrolled(&mut parser);
        assert_eq!(taken, ["1", "2", "3", "4", "5", "6"].map(|text| vec![plain(text)]));
        assert_eq!(take_scrolled(&mut parser), Vec::<Vec<Span>>::new());
        assert_eq!(row(parser.screen(), 0), [plain("7")]);
    }
}
