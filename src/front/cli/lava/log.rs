//! `lava log NAME`: what a board printed, or what happened to it.

use clap::Args;

use super::{LabArgs, print, print_json};
use crate::client::{ConsoleRef, history};
use crate::model::{Event, Failure, Kind, units};

/// So many bytes of the past are held in memory at a time.
const STEP: u64 = 1024 * 1024;

/// Prints what a board's console has captured: every byte as it came, or the events.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// The board.
    name: String,
    #[command(flatten)]
    lab: LabArgs,
    /// The events instead of the bytes: who came and went, power, breaks, jobs, typed input.
    #[arg(long)]
    events: bool,
    /// Only the last N lines, or events.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// With --events: a line of JSON for each.
    #[arg(long, requires = "events")]
    json: bool,
}

pub(super) async fn run(args: LogArgs) -> Result<(), Failure> {
    let lab = args.lab.locate()?;
    let board = lab.board(&args.name).await?;
    let console = board.console.ok_or_else(|| {
        Failure::new(Kind::User, format!("board {} has no console {lab}", board.name))
    })?;
    match (args.events, args.last) {
        (true, last) => events(&console, last.unwrap_or(usize::MAX), args.json).await,
        (false, Some(lines)) => print(&history::last_lines(&console, lines).await?),
        (false, None) => everything(&console).await,
    }
}

/// Everything that is held now, in pieces.
async fn everything(console: &ConsoleRef) -> Result<(), Failure> {
    let held = history::held(console).await?;
    let mut from = held.first;
    while from < held.head {
        let to = (from + STEP).min(held.head);
        print(&history::bytes(console, from, to).await?)?;
        from = to;
    }
    Ok(())
}

async fn events(console: &ConsoleRef, last: usize, json: bool) -> Result<(), Failure> {
    let events: Vec<Event> = console.http().get(&format!("{}/events", console.path)).await?;
    for event in &events[events.len().saturating_sub(last)..] {
        if json {
            print_json(event)?;
        } else {
            print(line(event)?.as_bytes())?;
        }
    }
    Ok(())
}

/// `2026-11-21T10:00:00.000Z  512  alice  break ms=250`
fn line(event: &Event) -> Result<String, Failure> {
    let what = serde_json::to_value(&event.what);
    let what = what.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    let mut text = format!(
        "{}  {}  {}  {}",
        units::time_text(event.time_us),
        event.offset,
        event.who.as_deref().unwrap_or("-"),
        what["kind"].as_str().unwrap_or_default()
    );
    for (key, value) in what.as_object().into_iter().flatten().filter(|(key, _)| *key != "kind") {
        text.push_str(&format!(" {key}={value}"));
    }
    text.push('\n');
    Ok(text)
}
