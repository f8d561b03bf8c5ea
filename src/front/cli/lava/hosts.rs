//! `lava workers` and `lava daemons`: what a lava-server hears of.

use clap::Args;

use super::Context;
use super::board::ServerArg;
use crate::model::{Failure, units};
use crate::wire::plain::plain;

/// Lists the workers of a lava-server: whether they live, how many jobs they run at a time, and which they have.
#[derive(Debug, Args)]
pub(super) struct WorkersArgs {
    #[command(flatten)]
    server: ServerArg,
}

/// Lists the lava-serial and lava-power that announce themselves to a lava-server, and when they were heard of last.
#[derive(Debug, Args)]
pub(super) struct DaemonsArgs {
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn workers(args: WorkersArgs, ctx: &Context) -> Result<(), Failure> {
    let workers = args.server.locate()?.workers().await?;
    if args.server.json {
        return ctx.print_json(&workers).await;
    }
    let mut rows =
        vec![["WORKER", "STATE", "HEARD", "VERSION", "SLOTS", "JOBS"].map(str::to_owned)];
    let mut conflicts = Vec::new();
    for worker in workers {
        let name = &worker.name;
        conflicts.extend(
            worker
                .conflicts
                .iter()
                .map(|why| format!("of the machines that {name} offers: {}", told(why))),
        );
        let jobs: Vec<String> = worker.jobs.iter().map(u64::to_string).collect();
        rows.push([
            worker.name.to_string(),
            state(worker.live),
            heard(worker.seen_us),
            told(&worker.version),
            format!("{} of {}", jobs.len(), worker.slots),
            jobs.join(" "),
        ]);
    }
    ctx.print(table(&rows).as_bytes()).await?;
    for conflict in conflicts {
        ctx.note(&conflict).await;
    }
    Ok(())
}

pub(super) async fn daemons(args: DaemonsArgs, ctx: &Context) -> Result<(), Failure> {
    let daemons = args.server.locate()?.daemons().await?;
    if args.server.json {
        return ctx.print_json(&daemons).await;
    }
    let mut rows =
        vec![["HOST", "DAEMON", "STATE", "HEARD", "VERSION", "WHERE"].map(str::to_owned)];
    for daemon in daemons {
        rows.push([
            daemon.host.to_string(),
            format!("lava-{}", daemon.kind.as_str()),
            state(daemon.live),
            heard(daemon.seen_us),
            told(&daemon.version),
            told(&daemon.url),
        ]);
    }
    ctx.print(table(&rows).as_bytes()).await
}

fn state(live: bool) -> String {
    if live { "live" } else { "silent" }.to_owned()
}

/// How long ago that was.
fn heard(seen_us: u64) -> String {
    let seconds = units::now_us().saturating_sub(seen_us) / 1_000_000;
    format!("{} ago", units::time_span(seconds))
}

/// What somebody else has said of themselves, in a column.
fn told(text: &str) -> String {
    match plain(text.as_bytes()) {
        text if text.trim().is_empty() => "-".to_owned(),
        text => text,
    }
}

/// Columns as wide as what is in them.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
