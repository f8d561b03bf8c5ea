//! `lava board health` and `lava board maintenance`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Context, ServerArg, tell};
use crate::model::{BoardHealth, Failure, HealthChange, Kind, Name, units};

/// Says how healthy boards are. Bad ones, those in maintenance, retired and looping ones are given to nobody; of looping
/// ones the health check is run again and again.
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// good, bad, maintenance, retired, looping or unknown
    health: BoardHealth,
    #[arg(required = true)]
    boards: Vec<Name>,
    /// Why; others see it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    server: ServerArg,
}

/// Plans when a board is in maintenance: nobody is given it then. It replaces what was planned before.
///
/// Exit code 4: somebody has it then.
#[derive(Debug, Args)]
pub(super) struct MaintenanceArgs {
    board: Name,
    /// In so much time from now, as 3d.
    #[arg(long = "in", value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    after: Duration,
    /// For so long.
    #[arg(long = "for", value_name = "TIME", value_parser = units::duration)]
    length: Option<Duration>,
    /// Nothing is planned any more.
    #[arg(long, conflicts_with_all = ["length", "after"])]
    none: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Has boards' health checks run, as soon as they are free. One that passes makes its board good, one that
/// fails bad.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[arg(required = true)]
    boards: Vec<Name>,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn check(args: CheckArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    for name in &args.boards {
        let job = server.check_board(name, ctx.user()).await?;
        let text = format!("{name} is checked by job {}\n", job.id);
        tell(ctx, args.server.json, &job, &text).await?;
    }
    Ok(())
}

pub(super) async fn health(args: HealthArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let (health, reason) = (args.health, args.reason);
    let change = HealthChange { health, reason, user: Some(ctx.user().to_owned()) };
    for name in &args.boards {
        let board = server.set_health(name.as_str(), &change).await?;
        let text = format!("{name} is {}\n", board.health);
        tell(ctx, args.server.json, &board, &text).await?;
    }
    Ok(())
}

pub(super) async fn maintenance(args: MaintenanceArgs, ctx: &Context) -> Result<(), Failure> {
    let now = units::now_us() / 1_000_000;
    let windows = match (args.length, args.none) {
        (Some(length), _) => {
            let from = now + args.after.as_secs();
            vec![(from, from + length.as_secs().max(1))]
        }
        (None, true) => Vec::new(),
        (None, false) => {
            return Err(Failure::new(Kind::User, "for how long? say --for TIME, or --none"));
        }
    };
    args.server.locate()?.set_maintenance(args.board.as_str(), &windows, ctx.user()).await?;
    let text = match windows.first() {
        Some((from, until)) => {
            let time = |at: &u64| units::time_text(at * 1_000_000);
            format!("{} is in maintenance from {} to {}\n", args.board, time(from), time(until))
        }
        None => format!("no maintenance of {} is planned\n", args.board),
    };
    let done = json!({"board": args.board, "windows": windows});
    tell(ctx, args.server.json, &done, &text).await
}
