//! A board's console.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::{bad, cut, past};
use crate::front::tui::app::App;
use crate::front::tui::app::pane::{Linked, Pane};
use crate::front::tui::terminal::Facts;
use crate::model::event::Mode;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    app: &App,
    facts: &Facts,
    area: Rect,
    pane: &Pane,
    focused: bool,
) {
    let title = Rect { height: 1.min(area.height), ..area };
    let typing = focused && app.typing;
    frame.render_widget(title_line(app, pane, typing, focused, area.width), title);
    let body = Rect { y: area.y + title.height, height: area.height - title.height, ..area };
    if area.right() < frame.area().right() {
        let bar = if facts.unicode { "│" } else { "|" };
        for y in area.top()..area.bottom() {
            frame.buffer_mut().set_string(area.right(), y, bar, Style::new().dim());
        }
    }
    if let Some(past) = &pane.past {
        return past::draw(frame, body, past);
    }
    let grey = pane.link != Linked::Attached;
    let (top, left) = origin(pane, body);
    cells(frame.buffer_mut(), pane.emulator.screen(), body, (top, left), grey);
    let screen = pane.emulator.screen();
    if typing && !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let (x, y) = (column.saturating_sub(left), row.saturating_sub(top));
        if x < body.width && y < body.height {
            frame.set_cursor_position((body.x + x, body.y + y));
        }
    }
}

/// `panda01  typing  bob has it  [power cycle done]`
fn title_line(app: &App, pane: &Pane, typing: bool, focused: bool, width: u16) -> Line<'static> {
    let row = app.boards.get(&pane.id);
    let mut words = Vec::new();
    if let Some(power) = row.and_then(|row| row.power) {
        words.push(power.to_string());
    }
    match (typing, pane.mode) {
        (true, Mode::Spy) => words.push("read-only".into()),
        (true, Mode::Rw) => words.push("typing".into()),
        (_, Mode::Exclusive) => words.push("yours alone".into()),
        (false, _) => words.push("looking".into()),
    }
    if let Some(holder) = row.and_then(|row| row.holder()).filter(|_| pane.mode != Mode::Exclusive)
    {
        words.push(format!("{holder} has it"));
    }
    if let Some(past) = &pane.past {
        words.push(past::words(past, pane.rows()));
    }
    let trouble = match &pane.link {
        Linked::Attached => None,
        Linked::Opening => Some("attaching…".to_owned()),
        Linked::Away(why) => Some(format!("away: {why}")),
        Linked::Ended(why) => Some(format!("over: {why}")),
    };
    let text = words.iter().map(|word| format!("  {word}")).collect::<String>();
    let notice = trouble.is_none().then(|| pane.notice.clone()).flatten();
    let notice = notice.map(|notice| format!("  {notice}")).unwrap_or_default();
    let trouble = trouble.map(|trouble| format!("  {trouble}")).unwrap_or_default();
    let width = usize::from(width);
    let name = cut(&format!(" {}", pane.id), width);
    let left = width.saturating_sub(Line::from(name.as_str()).width());
    let rest = cut(&format!("{text}{trouble}{notice}"), left);
    let pad = left.saturating_sub(Line::from(rest.as_str()).width());
    let rest = format!("{rest}{}", " ".repeat(pad));
    let style = match (focused, trouble.is_empty()) {
        (true, true) => Style::new().reversed(),
        (true, false) => bad().reversed(),
        (false, _) => Style::new().underlined(),
    };
    Line::from(vec![Span::styled(name, style.bold()), Span::styled(rest, style)])
}

/// The row and column of the board's screen that are shown at the top left: of a screen that is larger than
/// its place, the part with the cursor.
fn origin(pane: &Pane, body: Rect) -> (u16, u16) {
    let screen = pane.emulator.screen();
    let (rows, columns) = screen.size();
    let (row, column) = screen.cursor_position();
    let start = |at: u16, room: u16, whole: u16| {
        let most = whole.saturating_sub(room);
        (at + 1).saturating_sub(room).min(most)
    };
    (start(row, body.height, rows.get()), start(column, body.width, columns.get()))
}

fn cells(
    buffer: &mut Buffer,
    screen: &vt100::Screen,
    body: Rect,
    (top, left): (u16, u16),
    grey: bool,
) {
    for y in 0..body.height {
        for x in 0..body.width {
            let Some(cell) = screen.cell(top + y, left + x) else { break };
            // The second half of a wide character is drawn with its first.
            if cell.is_wide_continuation() {
                continue;
            }
            let Some(to) = buffer.cell_mut((body.x + x, body.y + y)) else { break };
            let fits = !cell.is_wide() || x + 1 < body.width;
            if cell.has_contents() && fits && !cell.contents().contains(char::is_control) {
                to.set_symbol(cell.contents());
            }
            to.set_style(style(cell));
            if grey {
                to.set_style(Style::new().dim());
            }
        }
    }
}

fn style(cell: &vt100::Cell) -> Style {
    let mut modifier = Modifier::empty();
    modifier.set(Modifier::BOLD, cell.bold());
    modifier.set(Modifier::DIM, cell.dim());
    modifier.set(Modifier::ITALIC, cell.italic());
    modifier.set(Modifier::UNDERLINED, cell.underline());
    modifier.set(Modifier::REVERSED, cell.inverse());
    Style::new().fg(colour(cell.fgcolor())).bg(colour(cell.bgcolor())).add_modifier(modifier)
}

fn colour(colour: vt100::Color) -> Color {
    match colour {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
