//! `lava who [BOARD...]`: who is at the consoles.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::several::outcome;
use super::{Context, LabArgs};
use crate::client::Listing;
use crate::model::{Failure, Name, Right, units};
use crate::wire::attach::Session;

/// How long a daemon may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Lists who is at the boards' consoles, since when, and who has them.
#[derive(Debug, Args)]
pub(super) struct WhoArgs {
    /// The boards: names, or patterns such as 'rack*'. All of them when left out.
    #[arg(value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// A line of JSON for each session.
    #[arg(long)]
    json: bool,
}

/// As much of a console as is shown.
#[derive(Debug, Clone, Deserialize)]
struct Console {
    sessions: Vec<Session>,
    holder: Option<Session>,
}

#[derive(Debug, Serialize)]
struct Row {
    board: Name,
    /// Whether it has the write lock.
    holds: bool,
    #[serde(flatten)]
    session: Session,
}

pub(super) async fn run(args: WhoArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let all = args.boards.is_empty();
    let meant = if all { vec!["*".to_owned()] } else { args.boards };
    let consoles = lab.consoles(&meant, Right::See).await?;
    let listing = Listing::<Console>::of(consoles.iter().map(|(_, at)| at), TIMEOUT).await;
    let status = |(board, at)| {
        let status = listing.get(&at);
        (board, status)
    };
    let results = consoles.into_iter().map(status).collect();
    let mut rows = Vec::new();
    let (found, failed) = outcome(results);
    for (board, status) in found {
        let holder = status.holder.map(|holder| holder.session);
        rows.extend(status.sessions.into_iter().map(|session| Row {
            board: board.clone(),
            holds: holder == Some(session.session),
            session,
        }));
    }
    if args.json {
        for row in &rows {
            ctx.print_json(row).await?;
        }
    } else {
        ctx.print(table(&rows).as_bytes()).await?;
    }
    failed
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "nobody is attached\n".into();
    }
    let wide =
        |cell: fn(&Row) -> usize, least: usize| rows.iter().map(cell).max().unwrap_or(0).max(least);
    let board = wide(|row| row.board.as_str().len(), 5);
    let user = wide(|row| row.session.user.chars().count(), 4);
    let mut text = format!(
        "{:board$}  {:>7}  {:user$}  {:9}  {:9}  {:8}  {:24}  FROM\n",
        "BOARD", "SESSION", "USER", "MODE", "VIA", "IDLE", "SINCE"
    );
    for Row { board: name, holds, session } in rows {
        // Who has the console is marked: `exclusive` alone may only be waited for.
        let mode = if *holds { format!("{}*", session.mode) } else { session.mode.to_string() };
        text.push_str(&format!(
            "{name:board$}  {:>7}  {:user$}  {mode:9}  {:9}  {:8}  {:24}  {}\n",
            session.session,
            session.user,
            session.via,
            units::time_span(session.idle_s),
            units::time_text(session.since_us),
            session.peer
        ));
    }
    text
}
