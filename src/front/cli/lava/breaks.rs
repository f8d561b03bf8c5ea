//! `lava break BOARD...`: sends a break, or a sequence of them.

use clap::Args;

use super::super::user;
use super::several::{Boards, at_each, outcome};
use super::{print, print_json};
use crate::client::control;
use crate::model::{Failure, Name};
use crate::wire::request::SendBreak;

/// Sends a break to boards: the console's default one, or one of a length, or a configured sequence.
#[derive(Debug, Args)]
pub(super) struct BreakArgs {
    #[command(flatten)]
    boards: Boards,
    /// How long the break is.
    #[arg(long, value_name = "MS", conflicts_with = "sequence")]
    ms: Option<u64>,
    /// A sequence of breaks, pauses and characters by its name.
    #[arg(long, value_name = "NAME")]
    sequence: Option<Name>,
    /// List the sequences instead.
    #[arg(long, conflicts_with_all = ["ms", "sequence"])]
    list: bool,
    /// With --list: a line of JSON for each board.
    #[arg(long, requires = "list")]
    json: bool,
}

pub(super) async fn run(args: BreakArgs) -> Result<(), Failure> {
    let consoles = args.boards.consoles().await?;
    if args.list {
        let found = at_each(&consoles, async |_, console| control::status(console).await).await;
        return outcome(found, |board, status| {
            if args.json {
                let sequences = &status.sequences;
                return print_json(&serde_json::json!({"board": board, "sequences": sequences}));
            }
            let lines = status.sequences.iter();
            let lines = lines.map(|(name, keys)| format!("{board}  {name:12}  {keys}\n"));
            print(lines.collect::<String>().as_bytes())
        });
    }
    let (user, request) = (user::user(), SendBreak { ms: args.ms, sequence: args.sequence });
    let sent = at_each(&consoles, async |_, console| {
        control::ask(console, "break", &user, &request).await
    });
    outcome(sent.await, |_, _| Ok(()))
}
