//! Commands that take a while: on the outlet, and in the console's past.

use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use super::super::{line_text, report};
use super::notice;
use crate::client::lab::Lab;
use crate::client::{ConsoleRef, OutletRef, control, history, outlet};
use crate::model::event::Phase;
use crate::model::{Event, Failure, Kind, Name, PowerRequest, Report, Verb, What};
use crate::wire::attach::PortState;
use crate::wire::frame::Frame;
use crate::wire::request::Nothing;

/// How long a note on the timeline may take.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// The board that is attached to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) lab: Lab,
    pub(super) board: Name,
    pub(super) user: String,
}

/// What an action has to show.
#[derive(Debug)]
pub(super) enum Done {
    /// What came of an operation on the outlet.
    Report(Report),
    /// The last so many lines that the board printed.
    Log { lines: usize, frames: Vec<Frame> },
    /// Lines for the person.
    Said(Vec<String>),
}

/// An action under way. Dropping it stops waiting for it; what was asked for is not undone.
pub(super) type Action = Pin<Box<dyn Future<Output = Result<Done, Failure>> + Send>>;

/// Switches or asks the board's outlet.
pub(super) fn power(
    target: Target,
    console: ConsoleRef,
    verb: Verb,
    reason: Option<String>,
) -> Action {
    Box::pin(async move {
        // Looked up each time: lava-power may have been started, or moved, in the meantime.
        let board = target.lab.board(target.board.as_str()).await?;
        let outlet = board.outlet.ok_or_else(|| {
            let what = format!("board {} has no outlet {}", board.name, target.lab);
            Failure::new(Kind::User, what)
        })?;
        let request =
            PowerRequest { user: Some(target.user.clone()), reason, ..PowerRequest::default() };
        operate(&outlet, Some(&console), &target.board, verb, &request).await.map(Done::Report)
    })
}

/// Carries out a verb on a board's outlet, for everyone at its console to see.
///
/// # Errors
/// As [`outlet::operate`].
pub(in crate::front) async fn operate(
    outlet: &OutletRef,
    console: Option<&ConsoleRef>,
    board: &Name,
    verb: Verb,
    request: &PowerRequest,
) -> Result<Report, Failure> {
    // lava-power tells them where it knows the console.
    let told = verb == Verb::Status
        || outlet::info(outlet).await?.is_none_or(|info| info.console.is_some());
    let Some(console) = console.filter(|_| !told) else {
        return outlet::operate(outlet, verb, request).await;
    };
    let who = request.user.as_deref().unwrap_or_default();
    note(console, board, who, verb, Phase::Begin, None).await;
    let report = outlet::operate(outlet, verb, request).await;
    let phase = if report.is_ok() { Phase::Done } else { Phase::Failed };
    let detail = match &report {
        Ok(report) => report::text(report),
        Err(failure) => failure.message.clone(),
    };
    note(console, board, who, verb, phase, Some(detail)).await;
    report
}

#[derive(Serialize)]
struct Note<'a> {
    who: &'a str,
    #[serde(flatten)]
    what: What,
}

/// Puts a power operation on the console's timeline. Best effort: power does not wait for it.
async fn note(
    console: &ConsoleRef,
    board: &Name,
    who: &str,
    verb: Verb,
    phase: Phase,
    detail: Option<String>,
) {
    let outlet = board.clone();
    let what = What::Power { outlet, verb: verb.to_string(), phase, detail };
    let http = console.http().with_timeout(NOTE_TIMEOUT);
    let path = format!("{}/events", console.path);
    let _: Result<Event, Failure> = http.post(&path, &Note { who, what }).await;
}

/// Lets others' sessions go, and tells whose.
pub(super) fn kick(console: ConsoleRef, user: String, whom: String) -> Action {
    Box::pin(async move {
        // Everybody is told of it by an event.
        control::kick(&console, &user, &whom).await.map(|_| Done::Said(Vec::new()))
    })
}

/// Has the port closed, if it is not, and opened again.
pub(super) fn reopen(console: ConsoleRef, user: String) -> Action {
    Box::pin(async move {
        // Why it may not be closed is also why it may not be opened.
        let _ = control::ask(&console, "close", &user, &Nothing {}).await;
        control::ask(&console, "open", &user, &Nothing {}).await?;
        Ok(Done::Said(Vec::new()))
    })
}

/// Looks at everything there is to know of a console.
pub(super) fn info(console: ConsoleRef) -> Action {
    Box::pin(async move {
        let status = control::status(&console).await?;
        Ok(Done::Said(info_lines(Some(&console), &status)))
    })
}

/// Everything there is to know of a console, for a person.
pub(in crate::front) fn info_lines(
    console: Option<&ConsoleRef>,
    status: &control::Status,
) -> Vec<String> {
    let port = match &status.state {
        PortState::Open => "open".into(),
        PortState::Starting => "being opened".into(),
        PortState::Closed { reason } => format!("not open: {reason}"),
    };
    let at = console.map(|console| format!(" at {console}")).unwrap_or_default();
    let mut lines = vec![format!("{}{at}", status.name), format!("port {}, {port}", status.port)];
    lines.extend(status.line.iter().map(|line| format!("line {}", line_text::text(line))));
    lines.push(format!("record from {} to {}", status.first, status.head));
    lines.extend(status.capture_error.iter().map(|error| format!("not recorded: {error}")));
    for session in &status.sessions {
        let holds = status.holder.as_ref().is_some_and(|it| it.session == session.session);
        let holds = if holds { ", has the console" } else { "" };
        lines.push(format!("({}) {}{holds}", notice::user(&session.user), session.mode));
    }
    lines
}

/// Reads the last `lines` lines of the console.
pub(super) fn log(console: ConsoleRef, lines: usize) -> Action {
    Box::pin(async move {
        let frames = history::last_lines(&console, lines, 0, None).await?;
        Ok(Done::Log { lines, frames })
    })
}
