//! The state into cells.

mod list;
mod overlay;
mod pane;
mod past;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};

use super::app::App;
use super::app::boards::Grade;
use super::app::pane::Pane;
use super::layout::{FOOT, panes};
use super::terminal::Facts;
use crate::config::top::Action;
use crate::front::cli::words::Words;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, facts: &Facts) {
    let area = frame.area();
    if app.panes.is_empty() && app.only_panes {
        let why = format!("waiting for a console of {}…", app.opening.join(", "));
        frame.render_widget(Line::from(why).dim(), area);
    } else if app.panes.is_empty() {
        list::draw(frame, app);
    } else {
        let areas = panes((area.width, area.height), app.panes.len(), app.focus, app.zoom);
        for (at, (area, pane)) in areas.into_iter().zip(&app.panes).enumerate() {
            if let Some(area) = area {
                pane::draw(frame, app, facts, area, pane, at == app.focus);
            }
        }
    }
    foot(frame, app);
    if let Some(over) = &app.overlay {
        overlay::draw(frame, app, facts, over);
    }
}

/// What came of the last thing, else what the most important keys do.
fn foot(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    if area.height <= FOOT {
        return;
    }
    let area = Rect { y: area.height - FOOT, height: FOOT, ..area };
    let typed = app.panes.get(app.focus).filter(|_| app.typing && app.overlay.is_none());
    if let Some(command) = typed.and_then(Pane::command_line) {
        return overlay::entry(frame, area, "", &command);
    }
    let line = match (&app.said, &app.boards.trouble) {
        (Some((true, text)), _) => Line::from(text.as_str()).style(bad()),
        (Some((false, text)), _) => Line::from(text.as_str()).bold(),
        (None, Some(why)) => Line::from(format!("boards cannot be looked up: {why}")).style(bad()),
        (None, None) => hints(app),
    };
    frame.render_widget(line, area);
}

fn hints(app: &App) -> Line<'static> {
    let of_list = [
        (Action::Open, "console"),
        (Action::Mark, "mark"),
        (Action::Find, "filter"),
        (Action::Sort, "sort"),
        (Action::Power, "power"),
        (Action::Timeline, "timeline"),
        (Action::Message, "message"),
        (Action::Help, "help"),
        (Action::Quit, "quit"),
    ];
    let of_panes = [
        (Action::Type, "type"),
        (Action::NextPane, "next"),
        (Action::Zoom, "zoom"),
        (Action::Past, "past"),
        (Action::Find, "search"),
        (Action::Power, "power"),
        (Action::Timeline, "timeline"),
        (Action::Help, "help"),
        (Action::Back, "back"),
    ];
    let of_typing = [(Action::Leave, "stops typing; other keys go to the board")];
    let actions = match (app.panes.is_empty(), app.typing) {
        (true, _) => &of_list[..],
        (false, false) => &of_panes,
        (false, true) => &of_typing,
    };
    let mut spans = Vec::new();
    for (action, what) in actions {
        if let Some(key) = app.config.keys(*action).first() {
            spans.push(Span::from(key.to_string()).bold());
            spans.push(Span::from(format!(" {what}  ")));
        }
    }
    if let Some(pane) = app.panes.get(app.focus).filter(|_| app.typing)
        && let Some(help) = Words::of(&pane.escapes).key("help")
    {
        spans.push(Span::from(help).bold());
        spans.push(Span::from(" lists commands"));
    }
    Line::from(spans)
}

fn bad() -> Style {
    Style::new().light_red().add_modifier(Modifier::BOLD)
}

fn graded(grade: Grade) -> Style {
    match grade {
        Grade::Good => Style::new(),
        Grade::Away => Style::new().dim(),
        Grade::Odd => Style::new().yellow(),
        Grade::Bad => bad(),
    }
}

/// A text of at most so many cells.
fn cut(text: &str, cells: usize) -> String {
    let line = Line::from(text);
    if line.width() <= cells {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if Line::from(kept.as_str()).width() >= cells {
            kept.pop();
            break;
        }
    }
    kept + "~"
}
