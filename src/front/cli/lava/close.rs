//! `lava close BOARD...` and `lava open BOARD...`: a console's port, for another program to use.

use clap::Args;

use super::Context;
use super::several::{Boards, at_each, done};
use crate::client::control;
use crate::model::{Failure, Right};
use crate::wire::request::Nothing;

/// Closes the ports of consoles, for another program to use their devices. Clients stay.
#[derive(Debug, Args)]
pub(super) struct CloseArgs {
    #[command(flatten)]
    boards: Boards,
    /// A line of JSON for each board where it is done.
    #[arg(long)]
    json: bool,
}

/// Opens ports again that were closed.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    boards: Boards,
    /// A line of JSON for each board where it is done.
    #[arg(long)]
    json: bool,
}

pub(super) async fn close(args: CloseArgs, ctx: &Context) -> Result<(), Failure> {
    ask(ctx, &args.boards, "close", args.json).await
}

pub(super) async fn open(args: OpenArgs, ctx: &Context) -> Result<(), Failure> {
    ask(ctx, &args.boards, "open", args.json).await
}

async fn ask(ctx: &Context, boards: &Boards, word: &str, json: bool) -> Result<(), Failure> {
    let consoles = boards.consoles(ctx, Right::Control).await?;
    let results = at_each(consoles, |_, console| async move {
        control::ask(&console, word, ctx.user(), &Nothing {}).await
    });
    done(ctx, json, results.await).await
}
