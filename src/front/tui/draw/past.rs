//! What a console printed before.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Style, Stylize as _};
use ratatui::text::{Line, Span};

use super::bad;
use crate::front::tui::app::past::Past;

/// A place that is narrower shows no times.
const WITH_TIMES: u16 = 40;

pub(super) fn draw(frame: &mut Frame<'_>, body: Rect, past: &Past) {
    let zone = TimeZone::system();
    if let Some(why) = &past.trouble {
        return frame.render_widget(Line::from(why.as_str()).style(bad()), body);
    }
    let places = past.places.as_ref().map_or(&[][..], |places| &places.offsets);
    for (y, line) in past.screen(body.height.into()).enumerate() {
        let mut spans = Vec::new();
        if body.width >= WITH_TIMES {
            spans.push(Span::from(time(line.time_us, &zone)).dim());
            spans.push(Span::from("  "));
        }
        let found = places.binary_search(&line.offset).is_ok();
        let style = match (past.at == Some(line.offset), found) {
            (true, _) => Style::new().reversed(),
            (false, true) => Style::new().yellow().bold(),
            (false, false) => Style::new(),
        };
        spans.push(Span::styled(line.text.replace('\t', "    "), style));
        let area = Rect { y: body.y + y as u16, height: 1, ..body };
        frame.render_widget(Line::from(spans), area);
    }
}

/// `past 42 %, Oops: 3 of 17`
pub(super) fn words(past: &Past, rows: usize) -> String {
    let mut text = format!("past {} %", past.percent(rows));
    if past.is_reading() {
        text.push_str(", reading");
    }
    if let Some(places) = &past.places {
        let count = places.offsets.len();
        let more = match (places.more, places.done) {
            (true, _) => "+",
            (false, false) => "…",
            (false, true) => "",
        };
        let at = past.at.and_then(|at| places.offsets.binary_search(&at).ok());
        let at = at.map(|at| format!("{} of ", at + 1)).unwrap_or_default();
        text.push_str(&format!(", {}: {at}{count}{more}", places.pattern));
    }
    text
}

/// The time of day here.
pub(super) fn time(time_us: u64, zone: &TimeZone) -> String {
    let time = i64::try_from(time_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    match time.filter(|_| time_us > 0) {
        Some(time) => time.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string(),
        None => "--------------".into(),
    }
}
