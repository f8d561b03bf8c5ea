//! `lava power list [BOARD...]`: the outlets, where they are, who has their boards.

use clap::Args;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{Context, LabArgs};
use crate::client::lab::Board;
use crate::client::{Listing, outlet};
use crate::model::{Failure, Kind, Lease, Name, PowerRequest, Right, State, Verb};
use crate::wire::attach::Session;

/// How long a daemon may take to answer before the outlets are listed without it.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The boards: names, or patterns such as 'rack*'. All of them without any.
    #[arg(value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// Also ask for the states, which asks the PDUs.
    #[arg(long)]
    state: bool,
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    board: Name,
    /// Of what its lava-power tells, null when that does not answer.
    pdu: Option<String>,
    port: Option<String>,
    /// `on`, `off`, `unknown`; null when not asked for.
    state: Option<State>,
    /// Who has leased the board; null when nobody has.
    lease: Option<Lease>,
    /// Who has the board's console for themselves.
    used_by: Option<String>,
    /// Who else is attached to it.
    attached: Vec<String>,
    /// Why something of it is not known.
    error: Option<String>,
}

/// As much of a console as matters here.
#[derive(Debug, Clone, Deserialize)]
struct Console {
    sessions: Vec<Session>,
    holder: Option<Session>,
}

/// As much of an outlet as is shown.
#[derive(Debug, Clone, Deserialize)]
struct Outlet {
    pdu: Name,
    port: String,
    #[serde(default)]
    lease: Option<Lease>,
}

pub(super) async fn run(args: ListArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let boards = match args.boards.is_empty() {
        true => lab.boards().await?,
        false => lab.select(&args.boards, Right::See).await?,
    };
    let boards: Vec<&Board> = boards.iter().filter(|board| board.outlet.is_some()).collect();
    if boards.is_empty() {
        return Err(Failure::new(Kind::User, format!("there is no board with an outlet {lab}")));
    }
    let outlets = boards.iter().filter_map(|board| board.outlet.as_ref());
    let consoles = boards.iter().filter_map(|board| board.console.as_ref());
    let states = boards.iter().map(|board| state(board, args.state));
    let (outlets, consoles, states) = tokio::join!(
        Listing::<Outlet>::of(outlets, TIMEOUT),
        Listing::<Console>::of(consoles, TIMEOUT),
        join_all(states.collect::<Vec<_>>()),
    );
    let rows = boards.iter().zip(states).map(|(board, state)| {
        let outlet = board.outlet.as_ref().map(|outlet| outlets.get(outlet));
        let console = board.console.as_ref().map(|console| consoles.get(console));
        row(board, outlet, console, state)
    });
    let rows: Vec<Row> = rows.collect();
    if args.json {
        ctx.print_json(&rows).await?;
    } else {
        ctx.print(table(&rows).as_bytes()).await?;
    }
    let silent = rows.iter().filter(|row| row.error.is_some()).count();
    match silent {
        0 => Ok(()),
        _ => {
            let what = format!("{silent} of {} could not be asked for all of it", rows.len());
            Err(Failure::new(Kind::Lab, what))
        }
    }
}

fn row(
    board: &Board,
    outlet: Option<Result<Outlet, Failure>>,
    console: Option<Result<Console, Failure>>,
    state: Option<Result<State, Failure>>,
) -> Row {
    let mut row = Row {
        board: board.name.clone(),
        pdu: None,
        port: None,
        state: None,
        lease: None,
        used_by: None,
        attached: Vec::new(),
        error: None,
    };
    let mut failed = |failure: Failure| {
        row.error.get_or_insert(failure.message);
    };
    match outlet {
        Some(Ok(Outlet { pdu, port, lease })) => {
            (row.pdu, row.port, row.lease) = (Some(pdu.to_string()), Some(port), lease);
        }
        Some(Err(failure)) => failed(failure),
        None => {}
    }
    match state {
        Some(Ok(state)) => row.state = Some(state),
        Some(Err(failure)) => {
            failed(failure);
            row.state = Some(State::Unknown);
        }
        None => {}
    }
    match console {
        Some(Ok(Console { sessions, holder })) => {
            row.used_by = holder.map(|holder| holder.user);
            let others = sessions.into_iter().map(|session| session.user);
            row.attached = others.filter(|user| row.used_by.as_ref() != Some(user)).collect();
        }
        Some(Err(failure)) => failed(failure),
        None => {}
    }
    row
}

async fn state(board: &Board, asked: bool) -> Option<Result<State, Failure>> {
    let outlet = board.outlet.as_ref().filter(|_| asked)?;
    let report = outlet::operate(outlet, Verb::Status, &PowerRequest::default()).await;
    Some(report.map(|report| report.state))
}

fn table(rows: &[Row]) -> String {
    let dash = || "-".to_owned();
    let heads =
        ["BOARD", "PDU", "PORT", "STATE", "LEASED BY", "USED BY", "ATTACHED"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        [
            row.board.to_string(),
            row.pdu.clone().unwrap_or_else(dash),
            row.port.clone().unwrap_or_else(dash),
            row.state.map_or_else(dash, |state| state.to_string()),
            row.lease.as_ref().map_or_else(dash, |lease| lease.holder.clone()),
            row.used_by.clone().unwrap_or_else(dash),
            match row.attached.is_empty() {
                true => dash(),
                false => row.attached.join(","),
            },
        ]
    });
    let lines: Vec<[String; 7]> = [heads].into_iter().chain(lines).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    let errors = std::iter::once(None).chain(rows.iter().map(|row| row.error.as_ref()));
    for (line, error) in lines.iter().zip(errors) {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(widths) {
            padded.push_str(&format!("{cell:width$}  "));
        }
        padded.push_str(error.map_or("", String::as_str));
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}
