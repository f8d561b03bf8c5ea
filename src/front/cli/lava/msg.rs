//! `lava msg BOARD... TEXT`: tells everyone at the consoles something.

use clap::Args;

use super::super::user;
use super::LabArgs;
use super::several::{at_each, outcome};
use crate::client::control;
use crate::model::Failure;
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
}

pub(super) async fn run(args: MsgArgs) -> Result<(), Failure> {
    let consoles = args.lab.locate()?.consoles(&args.boards).await?;
    let (user, text) = (user::user(), Text { text: args.text });
    let word = if args.note { "note" } else { "message" };
    let results =
        at_each(&consoles, async |_, console| control::ask(console, word, &user, &text).await);
    outcome(results.await, |_, _| Ok(()))
}
