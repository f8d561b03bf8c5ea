//! Frames into bytes for a terminal: only what has changed, in the colours that it has.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use super::terminal::{Colours, Facts};
use crate::model::is_shown;

/// Our own screen beside the shell's, pasted text in brackets, no cursor until there is one.
const ENTER: &str = "\x1b[?1049h\x1b[?2004h\x1b[?25l";
const CLEAR: &str = "\x1b[0m\x1b[2J";
/// Clicks and the wheel, with coordinates of any size.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
/// Everything back: mouse, paste, attributes, cursor, screen.
pub(super) const LEAVE: &str = "\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";

/// Draws on a terminal.
pub(super) struct Painter {
    terminal: Terminal<CrosstermBackend<Sink>>,
    /// What the terminal's backend writes to.
    sink: Sink,
    facts: Facts,
    /// Columns and rows.
    size: (u16, u16),
}

/// Bytes that wait for the terminal.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        // Bytes are appended whole, so that they may be used after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Painter {
    /// `size` is columns and rows.
    ///
    /// # Errors
    /// None in practice: bytes are put into memory.
    pub(super) fn new(facts: Facts, size: (u16, u16)) -> io::Result<Self> {
        let sink = Sink::default();
        let terminal = terminal(&sink, size)?;
        let mut painter = Self { terminal, sink, facts, size };
        painter.enter()?;
        Ok(painter)
    }

    /// Takes the terminal over, again after it was left; the next frame is drawn whole.
    ///
    /// # Errors
    /// As [`Self::new`]; so for all here.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        self.put(ENTER);
        if self.facts.mouse {
            self.put(MOUSE);
        }
        self.forget()
    }

    pub(super) fn leave(&mut self) {
        self.put(LEAVE);
    }

    /// The terminal shows something else now: the next frame is drawn whole.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        // Not ratatui's own clearing, which asks the terminal of this process where its cursor is.
        self.terminal = terminal(&self.sink, self.size)?;
        self.put(CLEAR);
        Ok(())
    }

    pub(super) fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        self.size = size;
        self.forget()
    }

    /// Draws a frame.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let colours = self.facts.colours;
        self.terminal.draw(|frame| {
            draw(frame);
            tame(frame.buffer_mut());
            reduce(frame.buffer_mut(), colours);
        })?;
        Ok(())
    }

    /// What is to be written to the terminal.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut *self.sink.bytes());
        if self.facts.colours == Colours::Sixteen { classic(&bytes) } else { bytes }
    }

    fn put(&mut self, sequence: &str) {
        self.sink.bytes().extend_from_slice(sequence.as_bytes());
    }
}

/// Nothing is drawn on it yet. It is told its size, and asks nobody.
fn terminal(sink: &Sink, size: (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Sink>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    Terminal::with_options(CrosstermBackend::new(sink.clone()), TerminalOptions { viewport })
}

/// Nothing but characters that show: whatever a text says that comes from somewhere else, it neither moves
/// nor turns what stands around it.
fn tame(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if let [b' '..=b'~'] = symbol.as_bytes() {
            continue;
        }
        if !symbol.chars().all(is_shown) {
            let kept: String = symbol.chars().filter(|c| is_shown(*c)).collect();
            cell.set_symbol(if kept.is_empty() { "\u{fffd}" } else { &kept });
        }
    }
}

/// Only the colours that there are.
fn reduce(buffer: &mut Buffer, colours: Colours) {
    if colours == Colours::True {
        return;
    }
    for cell in &mut buffer.content {
        if colours == Colours::None && cell.bg != Color::Reset {
            // What stands out by its background does so all the same.
            cell.modifier.toggle(Modifier::REVERSED);
        }
        cell.fg = reduced(cell.fg, colours);
        cell.bg = reduced(cell.bg, colours);
    }
}

fn reduced(colour: Color, colours: Colours) -> Color {
    match (colour, colours) {
        (Color::Reset, _) | (_, Colours::None) => Color::Reset,
        (Color::Rgb(red, green, blue), Colours::Indexed) => Color::Indexed(cube(red, green, blue)),
        (Color::Rgb(red, green, blue), Colours::Sixteen) => sixteen(red, green, blue),
        (Color::Indexed(index @ 16..), Colours::Sixteen) => {
            let (red, green, blue) = rgb(index);
            sixteen(red, green, blue)
        }
        (Color::Indexed(index), Colours::Sixteen) => NAMED[usize::from(index)],
        (colour, _) => colour,
    }
}

const NAMED: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// The nearest of the 6 × 6 × 6 colours of a palette of 256.
fn cube(red: u8, green: u8, blue: u8) -> u8 {
    let step = |part: u8| (u16::from(part) * 5 + 127) / 255;
    (16 + 36 * step(red) + 6 * step(green) + step(blue)) as u8
}

/// The colour of a place in that palette beyond the first 16.
fn rgb(index: u8) -> (u8, u8, u8) {
    if index >= 232 {
        let grey = (index - 232) * 10 + 8;
        return (grey, grey, grey);
    }
    let place = index - 16;
    let part = |step: u8| step * 51;
    (part(place / 36), part(place / 6 % 6), part(place % 6))
}

/// The first 16 colours as terminals know them that have no more: 31 and 91 instead of 38;5;1 and 38;5;9.
fn classic(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(begin) = rest.windows(2).position(|two| two == b"\x1b[") {
        let (before, sequence) = rest.split_at(begin + 2);
        out.extend_from_slice(before);
        let end = sequence.iter().position(|byte| (0x40..0x7f).contains(byte));
        let (parameters, after) = sequence.split_at(end.unwrap_or(sequence.len()));
        rest = after;
        if after.first() != Some(&b'm') {
            out.extend_from_slice(parameters);
            continue;
        }
        let text = String::from_utf8_lossy(parameters);
        let mut words = text.split(';');
        let mut classic = Vec::new();
        while let Some(word) = words.next() {
            let mut ahead = words.clone();
            let ground = if word == "48" { 10 } else { 0 };
            let colour = match (word, ahead.next(), ahead.next().map(str::parse::<u8>)) {
                ("38" | "48", Some("5"), Some(Ok(index @ 0..8))) => index + 30,
                ("38" | "48", Some("5"), Some(Ok(index @ 8..16))) => index + 82,
                _ => {
                    classic.push(word.to_owned());
                    continue;
                }
            };
            classic.push((colour + ground).to_string());
            words = ahead;
        }
        out.extend_from_slice(classic.join(";").as_bytes());
    }
    out.extend_from_slice(rest);
    out
}

/// One of the 8 colours, bright or not.
fn sixteen(red: u8, green: u8, blue: u8) -> Color {
    let most = red.max(green).max(blue);
    if most < 48 {
        return Color::Black;
    }
    let bit = |part: u8, bit: usize| if part > most / 2 { bit } else { 0 };
    let hue = bit(red, 1) | bit(green, 2) | bit(blue, 4);
    match (hue, most) {
        (7, 0..128) => Color::DarkGray,
        (hue, 192..) => NAMED[hue + 8],
        (hue, _) => NAMED[hue],
    }
}

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Painter").field("facts", &self.facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;
    use ratatui::text::Line;

    fn facts(colours: Colours) -> Facts {
        Facts { colours, mouse: false, unicode: true }
    }

    fn drawn(colours: Colours, style: Style) -> String {
        let mut painter = Painter::new(facts(colours), (20, 2)).unwrap();
        painter.take();
        let line = Line::styled("hot", style);
        painter.draw(|frame| frame.render_widget(line, frame.area())).unwrap();
        String::from_utf8(painter.take()).unwrap()
    }

    #[test]
    fn there_are_only_the_colours_that_the_terminal_has() {
        let red = Style::new().fg(Color::Rgb(250, 20, 20));
        assert!(drawn(Colours::True, red).contains("38;2;250;20;20"));
        assert!(drawn(Colours::Indexed, red).contains("38;5;196"));
        assert!(drawn(Colours::Sixteen, red).contains("\x1b[91"));
        let both = classic(b"a\x1b[1;1H\x1b[38;5;9;48;5;0mb\x1b[38;5;200m\x1b[0m");
        assert_eq!(both, b"a\x1b[1;1H\x1b[91;40mb\x1b[38;5;200m\x1b[0m");
        let none = drawn(Colours::None, red.on_blue());
        assert!(
            !none.contains("38;") && !none.contains("48;") && none.contains("\x1b[7m"),
            "{none:?}"
        );
        assert_eq!(sixteen(10, 10, 10), Color::Black);
        assert_eq!(reduced(Color::Indexed(244), Colours::Sixteen), Color::Gray);
    }

    #[test]
    fn nothing_that_is_drawn_turns_what_stands_around_it() {
        let mut painter = Painter::new(facts(Colours::None), (20, 1)).unwrap();
        let text = "a\u{202e}b\u{2066}\u{9b}2Jc e\u{301}";
        painter
            .draw(|frame| {
                frame.render_widget(Line::raw(text), frame.area());
                frame.buffer_mut()[(12, 0)].set_symbol("\u{200f}");
                frame.buffer_mut()[(13, 0)].set_symbol("\x1b");
            })
            .unwrap();
        let drawn = String::from_utf8(painter.take()).unwrap();
        let drawn = drawn.replace("\x1b[", "");
        assert!(drawn.chars().all(is_shown), "{drawn:?}");
        assert!(drawn.contains("e\u{301}") && drawn.contains('\u{fffd}'), "{drawn:?}");
    }

    #[test]
    fn only_what_has_changed_is_written() {
        let mut painter = Painter::new(facts(Colours::None), (80, 24)).unwrap();
        let mut draw = |text: &'static str| {
            painter.draw(|frame| frame.render_widget(Line::raw(text), frame.area())).unwrap();
            painter.take().len()
        };
        draw("panda01 login:");
        assert!(draw("panda01 login: r") < 60);
        assert!(draw("panda01 login: r") < 40);
    }
}
