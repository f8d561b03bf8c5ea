//! The list of the boards.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Style, Stylize as _};
use ratatui::text::{Line, Span};

use super::{cut, graded};
use crate::front::tui::app::App;
use crate::front::tui::app::boards::{Grade, Row};
use crate::front::tui::layout::{LIST_TOP, list_rows};
use crate::model::{State, units};

/// The widths of the columns between the name and the last line: power, holder, age, rate.
const POWER: usize = 7;
const HOLDER: usize = 12;
const HEARD: usize = 7;
const RATE: usize = 7;
/// The least and the most for the health.
const HEALTH: (usize, usize) = (16, 34);
/// A screen that is narrower shows no rates.
const WIDE: usize = 100;

/// How wide the columns are.
struct Columns {
    name: usize,
    health: usize,
    rate: bool,
}

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    let boards = &app.boards;
    let names = boards.rows().iter().map(|row| row.id.len()).max().unwrap_or(0);
    let width = usize::from(area.width);
    let columns = Columns {
        name: names.clamp(5, (width / 3).max(5)),
        health: (width / 5).clamp(HEALTH.0, HEALTH.1),
        rate: width >= WIDE,
    };
    let row_at = |y: u16| Rect { y, height: 1, ..area }.intersection(area);
    frame.render_widget(title(app, width), row_at(0));
    frame.render_widget(head(&columns).bold().underlined(), row_at(1));
    let place = boards.place();
    let rows =
        boards.shown().enumerate().skip(boards.top).take(list_rows((area.width, area.height)));
    let now_us = units::now_us();
    for (at, row) in rows {
        let marked = boards.marked.contains(&row.id);
        let mut line = line(row, &columns, width, marked, now_us);
        if at == place {
            line = line.reversed();
        }
        frame.render_widget(line, row_at(LIST_TOP + (at - boards.top) as u16));
    }
    if boards.shown().len() == 0 && boards.trouble.is_none() {
        let why = match boards.rows().len() {
            0 => "looking for boards…",
            _ => "no board passes the filter",
        };
        frame.render_widget(Line::from(why).dim(), row_at(LIST_TOP));
    }
}

fn title(app: &App, width: usize) -> Line<'static> {
    let boards = &app.boards;
    let away = boards.rows().iter().filter(|row| row.away.is_some()).count();
    let mut text = match boards.rows().len() {
        1 => "1 board".to_owned(),
        count => format!("{count} boards"),
    };
    if boards.shown().len() != boards.rows().len() {
        text = format!("{} of {text}", boards.shown().len());
    }
    if away > 0 {
        text.push_str(&format!(", {away} away"));
    }
    let reverse = if boards.reverse { ", reversed" } else { "" };
    text.push_str(&format!(", by {}{reverse}", boards.sort.as_str()));
    if !boards.filter.is_empty() {
        text.push_str(&format!(", with {:?}", boards.filter));
    }
    Line::from(vec![Span::from("lava top").bold(), Span::from(cut(&format!("  {text}"), width))])
}

fn head(columns: &Columns) -> Line<'static> {
    let Columns { name, health, rate } = columns;
    let rate = if *rate { format!("{:>RATE$}  ", "RATE") } else { String::new() };
    Line::from(format!(
        "  {:name$}  {:POWER$}  {:HOLDER$}  {:>HEARD$}  {rate}{:health$}  LAST LINE",
        "BOARD", "POWER", "HELD BY", "HEARD", "HEALTH"
    ))
}

fn line(row: &Row, columns: &Columns, width: usize, marked: bool, now_us: u64) -> Line<'static> {
    let (grade, health) = row.health(now_us);
    let base = if grade == Grade::Away { Style::new().dim() } else { Style::new() };
    let fit = |text: &str, cells: usize| {
        let text = cut(text, cells);
        let pad = cells.saturating_sub(Line::from(text.as_str()).width());
        format!("{text}{}  ", " ".repeat(pad))
    };
    let power = match (row.power, &row.outlet) {
        (Some(State::On), _) => Span::styled(fit("on", POWER), base.green()),
        (Some(state), _) => Span::styled(fit(state.as_str(), POWER), base.yellow()),
        (None, Some(_)) => Span::styled(fit("?", POWER), base.dim()),
        (None, None) => Span::styled(fit("none", POWER), base.dim()),
    };
    let heard = row.heard_us().map_or_else(
        || "-".to_owned(),
        |heard| units::time_span(now_us.saturating_sub(heard) / 1_000_000),
    );
    let mut spans = vec![
        Span::styled(if marked { "* " } else { "  " }, base.bold()),
        Span::styled(fit(&row.id, columns.name), base.bold()),
        power,
        Span::styled(fit(row.holder().unwrap_or("-"), HOLDER), base),
        Span::styled(format!("{heard:>HEARD$}  "), base),
    ];
    if columns.rate {
        let rate = row.told.as_ref().map_or(0, |told| told.bytes_per_s);
        spans.push(Span::styled(format!("{:>RATE$}  ", rate_text(rate)), base));
    }
    spans.push(Span::styled(fit(&health, columns.health), graded(grade)));
    let last = row.told.as_ref().and_then(|told| told.last_line.as_deref()).unwrap_or_default();
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled(cut(last, width.saturating_sub(used)), base));
    Line::from(spans)
}

/// Bytes per second: `-`, `870`, `11k`, `1.2M`.
fn rate_text(rate: u64) -> String {
    match rate {
        0 => "-".into(),
        1..1000 => rate.to_string(),
        1000..1_000_000 => format!("{}k", rate / 1000),
        _ => format!("{:.1}M", rate as f64 / 1e6),
    }
}
