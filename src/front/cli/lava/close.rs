//! `lava close BOARD...` and `lava open BOARD...`: a console's port, for another program to use.

use clap::Args;

use super::super::user;
use super::several::{Boards, at_each, outcome};
use crate::client::control;
use crate::model::Failure;
use crate::wire::request::Nothing;

/// Closes the ports of consoles, for another program to use their devices. Clients stay.
#[derive(Debug, Args)]
pub(super) struct CloseArgs {
    #[command(flatten)]
    boards: Boards,
}

/// Opens ports again that were closed.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    boards: Boards,
}

pub(super) async fn close(args: CloseArgs) -> Result<(), Failure> {
    ask(&args.boards, "close").await
}

pub(super) async fn open(args: OpenArgs) -> Result<(), Failure> {
    ask(&args.boards, "open").await
}

async fn ask(boards: &Boards, word: &str) -> Result<(), Failure> {
    let consoles = boards.consoles().await?;
    let user = user::user();
    let done = at_each(&consoles, async |_, console| {
        control::ask(console, word, &user, &Nothing {}).await
    });
    outcome(done.await, |_, _| Ok(()))
}
