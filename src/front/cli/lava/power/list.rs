//! `lava power list [BOARD...]`: the outlets, where they are, who has their boards.

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;

use super::{Context, LabArgs};
use crate::client::lab::Board;
use crate::client::{ConsoleRef, OutletRef, outlet};
use crate::model::{Failure, Kind, Name, PowerRequest, Right, State, Verb};
use crate::wire::attach::Session;

/// How long a console's daemon may take to answer before the outlet is listed without it.
const CONSOLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

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
    /// Who has the board's console for themselves.
    used_by: Option<String>,
    /// Who else is attached to it.
    attached: Vec<String>,
    /// Why something of it is not known.
    error: Option<String>,
}

/// As much of a console as matters here.
#[derive(serde::Deserialize)]
struct Console {
    sessions: Vec<Session>,
    holder: Option<Session>,
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
    let rows = join_all(boards.iter().map(|board| row(board, args.state))).await;
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

async fn row(board: &Board, ask: bool) -> Row {
    let mut row = Row {
        board: board.name.clone(),
        pdu: None,
        port: None,
        state: None,
        used_by: None,
        attached: Vec::new(),
        error: None,
    };
    let Some(outlet) = &board.outlet else { return row };
    let state = async {
        match ask {
            true => Some(state(outlet).await),
            false => None,
        }
    };
    let console = async {
        match &board.console {
            Some(console) => Some(people(console).await),
            None => None,
        }
    };
    let (info, state, console) = tokio::join!(outlet::info(outlet), state, console);
    let mut failed = |failure: Failure| {
        row.error.get_or_insert(failure.message);
    };
    match info {
        Ok(Some(info)) => (row.pdu, row.port) = (Some(info.pdu.to_string()), Some(info.port)),
        Ok(None) => {}
        Err(failure) => failed(failure),
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

async fn state(outlet: &OutletRef) -> Result<State, Failure> {
    let report = outlet::operate(outlet, Verb::Status, &PowerRequest::default()).await?;
    Ok(report.state)
}

async fn people(console: &ConsoleRef) -> Result<Console, Failure> {
    console.http().with_timeout(CONSOLE_TIMEOUT).get(&console.path).await
}

fn table(rows: &[Row]) -> String {
    let dash = || "-".to_owned();
    let heads = ["BOARD", "PDU", "PORT", "STATE", "USED BY", "ATTACHED"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        [
            row.board.to_string(),
            row.pdu.clone().unwrap_or_else(dash),
            row.port.clone().unwrap_or_else(dash),
            row.state.map_or_else(dash, |state| state.to_string()),
            row.used_by.clone().unwrap_or_else(dash),
            match row.attached.is_empty() {
                true => dash(),
                false => row.attached.join(","),
            },
        ]
    });
    let lines: Vec<[String; 6]> = [heads].into_iter().chain(lines).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
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
