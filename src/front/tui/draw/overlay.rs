//! Prompts, questions and lists over the rest.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize as _;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::{bad, cut, past};
use crate::config::top::ACTIONS;
use crate::front::cli::notice;
use crate::front::tui::app::App;
use crate::front::tui::app::overlay::{
    Asked, Lines, List, Overlay, PowerDialog, Prompt, Rows, Stage,
};
use crate::front::tui::terminal::Facts;
use crate::model::{Event, Name, What};

/// The corners and lines of a terminal without UTF-8.
const ASCII: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, facts: &Facts, overlay: &Overlay) {
    match overlay {
        Overlay::Help(top) => help(frame, app, facts, *top),
        Overlay::Prompt(prompt) => prompt_line(frame, prompt),
        Overlay::Power(dialog) => power(frame, app, facts, dialog),
        Overlay::List(list) => list_box(frame, facts, list),
        Overlay::Lines(lines) => lines_box(frame, facts, lines),
    }
}

/// A box for so many lines in the middle, and the room in it.
fn boxed(frame: &mut Frame<'_>, facts: &Facts, title: &str, (width, height): (u16, u16)) -> Rect {
    let whole = frame.area();
    let (width, height) = (width.min(whole.width), height.min(whole.height.saturating_sub(1)));
    let (x, y) = ((whole.width - width) / 2, (whole.height.saturating_sub(1) - height) / 2);
    let area = Rect::new(x, y, width, height);
    let set = if facts.unicode { border::PLAIN } else { ASCII };
    let title = cut(&format!(" {title} "), usize::from(width.saturating_sub(2)));
    let block = Block::bordered().border_set(set).title(title.bold());
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inner
}

fn help(frame: &mut Frame<'_>, app: &App, facts: &Facts, top: usize) {
    let rows = ACTIONS.len() as u16 + 2;
    let inner = boxed(frame, facts, "keys", (76, rows));
    let lines = ACTIONS.iter().skip(top).take(inner.height.into()).map(|about| {
        let keys = app.config.keys(about.action).iter().map(ToString::to_string);
        let keys = keys.collect::<Vec<_>>().join(", ");
        let about = Span::from(about.help);
        Line::from(vec![Span::from(format!("{:16} ", cut(&keys, 16))).bold(), about])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inner);
}

fn lines_box(frame: &mut Frame<'_>, facts: &Facts, lines: &Lines) {
    let widest = lines.lines.iter().map(|line| Line::from(line.as_str()).width()).max();
    let size = (widest.unwrap_or(0) as u16).saturating_add(2).max(20);
    let inner = boxed(frame, facts, &lines.title, (size, lines.lines.len() as u16 + 2));
    let shown = lines.lines.iter().skip(lines.top).take(inner.height.into());
    let shown = shown.map(|line| Line::from(line.as_str()));
    frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), inner);
}

fn prompt_line(frame: &mut Frame<'_>, prompt: &Prompt) {
    let whole = frame.area();
    let area = Rect { y: whole.height.saturating_sub(1), height: 1.min(whole.height), ..whole };
    let what = match &prompt.what {
        Asked::Filter => "filter: ".to_owned(),
        Asked::Search => "search the record for: ".to_owned(),
        Asked::SearchAll => "search all records for: ".to_owned(),
        Asked::Message(id, _) => format!("tell everyone at {id}: "),
    };
    frame.render_widget(Clear, area);
    entry(frame, area, &what, &prompt.text);
}

/// A text that is being typed, its end in sight, and the cursor behind it.
pub(super) fn entry(frame: &mut Frame<'_>, area: Rect, what: &str, text: &str) {
    let room = usize::from(area.width).saturating_sub(what.len() + 1);
    let mut shown = text;
    while Line::from(shown).width() > room && !shown.is_empty() {
        let first = shown.chars().next().map_or(0, char::len_utf8);
        shown = &shown[first..];
    }
    let line = Line::from(vec![Span::from(what.to_owned()).bold(), Span::from(shown.to_owned())]);
    let end = area.x + (line.width() as u16).min(area.width.saturating_sub(1));
    frame.render_widget(line, area);
    frame.set_cursor_position((end, area.y));
}

fn power(frame: &mut Frame<'_>, app: &App, facts: &Facts, dialog: &PowerDialog) {
    let title = format!("power of {}", dialog.id);
    let shares = app.boards.get(&dialog.id).and_then(|row| row.power);
    let now = shares.map_or_else(|| "not known".to_owned(), |power| power.to_string());
    let mut lines = match &dialog.stage {
        Stage::Choose => vec![
            Line::from(format!("It is {now} as far as is known.")),
            Line::from(""),
            Line::from("o on   f off   c cycle   s ask for its state   esc nothing"),
        ],
        Stage::Confirm(verb) => vec![
            Line::from(format!("{verb}: really? It is {now} as far as is known.")),
            Line::from(""),
            Line::from("y yes   n no"),
        ],
        Stage::Busy(verb) => vec![
            Line::from(format!("{verb} is under way.")),
            Line::from(""),
            Line::from("esc does not wait for it"),
        ],
        Stage::Refused { why, .. } => vec![Line::from(why.clone()).style(bad()), Line::from("")],
    };
    let refused = matches!(dialog.stage, Stage::Refused { .. });
    if refused {
        lines
            .push(Line::from("Enter does it by force; everyone there is told why. Esc leaves it."));
    }
    let inner = boxed(frame, facts, &title, (72, if refused { 10 } else { 5 }));
    let text = Paragraph::new(lines).wrap(Wrap { trim: true });
    frame.render_widget(text, inner);
    if let Stage::Refused { reason, .. } = &dialog.stage {
        let last =
            Rect { y: inner.bottom().saturating_sub(1), height: 1.min(inner.height), ..inner };
        frame.render_widget(Clear, last);
        entry(frame, last, "reason: ", reason);
    }
}

fn list_box(frame: &mut Frame<'_>, facts: &Facts, list: &List) {
    let whole = frame.area();
    let count = match (list.rows.len(), list.open) {
        (count, true) => format!("{}: {count}…", list.title),
        (count, false) => format!("{}: {count}", list.title),
    };
    let inner = boxed(frame, facts, &count, (whole.width, whole.height));
    let rows = usize::from(inner.height);
    if let Some(why) = list.trouble.as_ref().filter(|_| rows > 0) {
        let last = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        frame.render_widget(Line::from(why.as_str()).style(bad()), last);
    }
    let rows = rows.saturating_sub(usize::from(list.trouble.is_some())).max(1);
    let top = (list.selected + 1).saturating_sub(rows);
    let zone = TimeZone::system();
    for at in top..list.rows.len().min(top + rows) {
        let text = match &list.rows {
            Rows::Found(found) => {
                let (id, found) = &found[at];
                let line = crate::wire::plain::plain(found.line.as_bytes());
                format!("{}  {id}  {line}", past::time(found.time_us, &zone))
            }
            Rows::Events(id, events) => {
                let event = &events[at];
                format!("{}  {}", past::time(event.time_us, &zone), event_text(id, event))
            }
        };
        let line = Line::from(text.replace('\t', " "));
        let line = if at == list.selected { line.reversed() } else { line };
        let area = Rect { y: inner.y + (at - top) as u16, height: 1, ..inner };
        frame.render_widget(line, area);
    }
}

/// An event in words, also those that nobody at the console is told.
fn event_text(id: &str, event: &Event) -> String {
    let told = id.parse::<Name>().ok().and_then(|name| notice::event(&name, event));
    if let Some(told) = told {
        return told;
    }
    let who = event.who.as_deref().unwrap_or("-");
    match &event.what {
        What::Seen { what, line, .. } => format!("{}: {line}", what.as_str()),
        What::Note { text } => format!("({who}) notes: {text}"),
        What::Input { text } => format!("({who}) typed {text:?}"),
        What::Meter { reading, .. } => {
            let of = |value: Option<f64>, unit: &str| {
                value.map(|value| format!(" {value} {unit}")).unwrap_or_default()
            };
            let (volts, amperes) = (of(reading.volts, "V"), of(reading.amperes, "A"));
            format!("meter:{volts}{amperes}{}", of(reading.watts, "W"))
        }
        What::Action { level, name, phase, .. } => format!("action {level} {name}: {phase:?}"),
        other => format!("{other:?}"),
    }
}
