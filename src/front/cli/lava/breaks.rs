//! `lava break BOARD...`: sends a break, or a sequence of them.

use clap::Args;

use super::Context;
use super::several::{Boards, at_each, done, outcome};
use crate::client::control;
use crate::model::{Failure, Name, Right};
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
    /// A line of JSON for each board where it is done; with --list its sequences.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: BreakArgs, ctx: &Context) -> Result<(), Failure> {
    let need = if args.list { Right::Spy } else { Right::Control };
    let consoles = args.boards.consoles(ctx, need).await?;
    if args.list {
        let found =
            at_each(consoles, |_, console| async move { control::status(&console).await }).await;
        let (found, failed) = outcome(found);
        for (board, status) in found {
            if args.json {
                let sequences = &status.sequences;
                let row = serde_json::json!({"board": board, "sequences": sequences});
                ctx.print_json(&row).await?;
                continue;
            }
            let lines = status.sequences.iter();
            let lines = lines.map(|(name, keys)| format!("{board}  {name:12}  {keys}\n"));
            ctx.print(lines.collect::<String>().as_bytes()).await?;
        }
        return failed;
    }
    let request = &SendBreak { ms: args.ms, sequence: args.sequence };
    let sent = at_each(consoles, |_, console| async move {
        control::ask(&console, "break", ctx.user(), request).await
    });
    done(ctx, args.json, sent.await).await
}
