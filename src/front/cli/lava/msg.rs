//! `lava msg BOARD... TEXT`: tells everyone at the consoles something.

use clap::Args;

use super::several::{at_each, done};
use super::{Context, LabArgs};
use crate::client::control;
use crate::model::{Failure, Right};
use crate::wire::request::Text;

/// Tells everyone at the boards' consoles something.
#[derive(Debug, Args)]
pub(super) struct MsgArgs {
    /// The boards: names, or patterns such as 'rack*'.
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[arg(required = true)]
    text: String,
    #[command(flatten)]
    lab: LabArgs,
    /// Only write it into the record; nobody is shown it.
    #[arg(long)]
    note: bool,
    /// A line of JSON for each board where it is done.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: MsgArgs, ctx: &Context) -> Result<(), Failure> {
    let (word, need) = if args.note { ("note", Right::Write) } else { ("message", Right::Spy) };
    let consoles = args.lab.locate(ctx)?.consoles(&args.boards, need).await?;
    let text = &Text { text: args.text };
    let results = at_each(consoles, |_, console| async move {
        control::ask(&console, word, ctx.user(), text).await
    });
    done(ctx, args.json, results.await).await
}
