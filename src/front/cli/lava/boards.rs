//! `lava boards`: which boards there are, and how they are.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{LabArgs, print, print_json};
use crate::client::{ConsoleRef, OutletRef, lab::Board, outlet};
use crate::model::{Failure, Name, PowerRequest, State, Verb};
use crate::wire::attach::{PortState, Session};

/// How long a console's daemon may take to answer before the board is listed without it.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);

/// Lists the boards: whether their consoles are open, who has them, who is attached.
#[derive(Debug, Args)]
pub(super) struct BoardsArgs {
    #[command(flatten)]
    lab: LabArgs,
    /// Also ask the outlets, which asks their PDUs.
    #[arg(long)]
    power: bool,
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    board: Name,
    /// Where it is, when several daemons serve a board of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// `open`, `starting`, `closed: why`, `unreachable: why`, or null without a console.
    console: Option<String>,
    /// Who has the write lock.
    holder: Option<String>,
    attached: Vec<String>,
    /// `on`, `off`, `unknown`; null when not asked for or without an outlet.
    power: Option<State>,
    /// Whether the board has an outlet.
    outlet: bool,
}

#[derive(Deserialize)]
struct Console {
    #[serde(flatten)]
    state: PortState,
    sessions: Vec<Session>,
    holder: Option<Session>,
}

pub(super) async fn run(args: BoardsArgs) -> Result<(), Failure> {
    let boards = args.lab.locate()?.boards().await?;
    let mut rows = join_all(boards.iter().map(|board| row(board, args.power))).await;
    for (row, board) in rows.iter_mut().zip(&boards) {
        let several = boards.iter().filter(|other| other.name == board.name).count() > 1;
        row.at = board
            .console
            .as_ref()
            .or(board.outlet.as_ref())
            .filter(|_| several)
            .map(ToString::to_string);
    }
    if args.json { print_json(&rows) } else { print(table(&rows).as_bytes()) }
}

async fn row(board: &Board, power: bool) -> Row {
    let console = async {
        match &board.console {
            Some(console) => Some(console_state(console).await),
            None => None,
        }
    };
    let power = async {
        match &board.outlet {
            Some(outlet) if power => Some(power_state(outlet).await),
            _ => None,
        }
    };
    let (console, power) = tokio::join!(console, power);
    let (state, holder, attached) = match console {
        Some(Ok(console)) => {
            let state = match console.state {
                PortState::Open => "open".into(),
                PortState::Starting => "starting".into(),
                PortState::Closed { reason } => format!("closed: {reason}"),
            };
            let attached = console.sessions.into_iter().map(|session| session.user).collect();
            (Some(state), console.holder.map(|holder| holder.user), attached)
        }
        Some(Err(failure)) => (Some(format!("unreachable: {}", failure.message)), None, Vec::new()),
        None => (None, None, Vec::new()),
    };
    let outlet = board.outlet.is_some();
    Row { board: board.name.clone(), at: None, console: state, holder, attached, power, outlet }
}

async fn console_state(console: &ConsoleRef) -> Result<Console, Failure> {
    console.http().with_timeout(STATE_TIMEOUT).get(&console.path).await
}

async fn power_state(outlet: &OutletRef) -> State {
    let report = outlet::operate(outlet, Verb::Status, &PowerRequest::default()).await;
    report.map_or(State::Unknown, |report| report.state)
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.board.as_str().len()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "{:width$}  {:7}  {:12}  {:12}  CONSOLE\n",
        "BOARD", "POWER", "HELD BY", "ATTACHED"
    );
    for row in rows {
        let power = match row.power {
            Some(power) => power.as_str(),
            None if row.outlet => "-",
            None => "none",
        };
        text.push_str(&format!(
            "{:width$}  {power:7}  {:12}  {:12}  {}{}\n",
            row.board,
            row.holder.as_deref().unwrap_or("-"),
            if row.attached.is_empty() { "-".to_owned() } else { row.attached.join(",") },
            row.console.as_deref().unwrap_or("none"),
            row.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default(),
        ));
    }
    text
}
