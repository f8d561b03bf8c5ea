//! `lava boards`: which boards there are, and how they are.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::{Context, LabArgs};
use crate::client::{Listing, lab::Board, outlet};
use crate::model::{Failure, Health, Lease, Name, PowerRequest, Right, State, Verb, units};
use crate::wire::attach::{PortState, Session};

/// How long a console's daemon may take to answer before the board is listed without it.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);

/// A console that has said nothing for so long is called quiet.
const QUIET_MS: u64 = 60_000;

/// Lists the boards: who has leased them, whether their consoles are open, who has them, who is attached.
#[derive(Debug, Args)]
pub(super) struct BoardsArgs {
    /// The boards: names, or patterns such as 'rack*'. All of them without any.
    #[arg(value_name = "BOARD")]
    boards: Vec<String>,
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
    /// Who has leased it; null when nobody has.
    lease: Option<Lease>,
    /// Who has the write lock.
    holder: Option<String>,
    attached: Vec<String>,
    /// `on`, `off`, `unknown`; null when not asked for or without an outlet.
    power: Option<State>,
    /// Whether the board has an outlet.
    outlet: bool,
    /// What the console's line and bytes tell; null without a console.
    health: Option<Health>,
}

#[derive(Debug, Clone, Deserialize)]
struct Console {
    #[serde(flatten)]
    state: PortState,
    sessions: Vec<Session>,
    holder: Option<Session>,
    #[serde(default)]
    health: Health,
}

/// As much of an outlet as is shown here.
#[derive(Debug, Clone, Deserialize)]
struct Outlet {
    #[serde(default)]
    lease: Option<Lease>,
}

pub(super) async fn run(args: BoardsArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let boards = match args.boards.is_empty() {
        true => lab.boards().await?,
        false => lab.select(&args.boards, Right::See).await?,
    };
    let (consoles, outlets) = tokio::join!(
        Listing::<Console>::of(boards.iter().filter_map(|it| it.console.as_ref()), STATE_TIMEOUT),
        Listing::<Outlet>::of(boards.iter().filter_map(|it| it.outlet.as_ref()), STATE_TIMEOUT),
    );
    let powers: Vec<_> = boards.iter().map(|board| power_state(board, args.power)).collect();
    let mut count: HashMap<&Name, usize> = HashMap::new();
    boards.iter().for_each(|board| *count.entry(&board.name).or_default() += 1);
    let rows = boards.iter().zip(join_all(powers).await).map(|(board, power)| {
        let several = count.get(&board.name).is_some_and(|count| *count > 1);
        let at = board.console.as_ref().or(board.outlet.as_ref()).filter(|_| several);
        let console = board.console.as_ref().map(|console| consoles.get(console));
        // Without lava-power nobody has leased anything, as far as can be told.
        let outlet = board.outlet.as_ref().and_then(|outlet| outlets.get(outlet).ok());
        Row { at: at.map(ToString::to_string), power, ..row(board, console, outlet) }
    });
    let rows: Vec<Row> = rows.collect();
    match args.json {
        true => ctx.print_json(&rows).await,
        false => ctx.print(table(&rows).as_bytes()).await,
    }
}

fn row(board: &Board, console: Option<Result<Console, Failure>>, outlet: Option<Outlet>) -> Row {
    let (state, holder, attached, health) = match console {
        Some(Ok(console)) => {
            let state = match console.state {
                PortState::Open => "open".into(),
                PortState::Starting => "starting".into(),
                PortState::Closed { reason } => format!("closed: {reason}"),
            };
            let attached = console.sessions.into_iter().map(|session| session.user).collect();
            let holder = console.holder.map(|holder| holder.user);
            (Some(state), holder, attached, Some(console.health))
        }
        Some(Err(failure)) => {
            (Some(format!("unreachable: {}", failure.message)), None, Vec::new(), None)
        }
        None => (None, None, Vec::new(), None),
    };
    Row {
        board: board.name.clone(),
        at: None,
        console: state,
        lease: outlet.and_then(|outlet| outlet.lease),
        holder,
        attached,
        power: None,
        outlet: board.outlet.is_some(),
        health,
    }
}

/// What of a line's health is worth a word: `, booted 5 min ago, panic 2 min ago: Kernel panic - …`.
fn words(health: &Health) -> String {
    let now_us = units::now_us();
    let mut words = Vec::new();
    if let Some(boot) = &health.boot {
        let seconds = now_us.saturating_sub(boot.time_us) / 1_000_000;
        words.push(format!("booted {} ago", units::time_span(seconds)));
    }
    if let Some(trouble) = &health.trouble {
        let line = Some(&trouble.line).filter(|line| !line.is_empty());
        let line = line.map(|line| format!(": {line}")).unwrap_or_default();
        words.push(format!("{}{line}", trouble.ago(now_us)));
    }
    if let Some(idle_ms) = health.idle_ms.filter(|idle_ms| *idle_ms >= QUIET_MS) {
        words.push(format!("quiet for {}", units::time_span(idle_ms / 1000)));
    }
    if let Some(mismatch) = health.mismatch {
        words.push(mismatch.to_string());
    }
    if let Some(errors) = &health.errors {
        for (count, what) in [
            (errors.overruns, "overruns"),
            (errors.parity, "parity errors"),
            (errors.framing, "framing errors"),
        ] {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
    }
    words.iter().map(|word| format!(", {word}")).collect()
}

async fn power_state(board: &Board, asked: bool) -> Option<State> {
    let outlet = board.outlet.as_ref().filter(|_| asked)?;
    let report = outlet::operate(outlet, Verb::Status, &PowerRequest::default()).await;
    Some(report.map_or(State::Unknown, |report| report.state))
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.board.as_str().len()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "{:width$}  {:7}  {:12}  {:12}  {:12}  CONSOLE\n",
        "BOARD", "POWER", "LEASED BY", "HELD BY", "ATTACHED"
    );
    for row in rows {
        let power = match row.power {
            Some(power) => power.as_str(),
            None if row.outlet => "-",
            None => "none",
        };
        text.push_str(&format!(
            "{:width$}  {power:7}  {:12}  {:12}  {:12}  {}{}{}\n",
            row.board,
            row.lease.as_ref().map_or("-", |lease| lease.holder.as_str()),
            row.holder.as_deref().unwrap_or("-"),
            if row.attached.is_empty() { "-".to_owned() } else { row.attached.join(",") },
            row.console.as_deref().unwrap_or("none"),
            row.health.as_ref().map(words).unwrap_or_default(),
            row.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default(),
        ));
    }
    text
}
