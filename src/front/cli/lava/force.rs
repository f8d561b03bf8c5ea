//! `lava force BOARD --session N` and `lava release BOARD...`: who has a console.

use clap::Args;

use super::several::{Boards, at_each, outcome};
use super::{Context, LabArgs};
use crate::client::control;
use crate::model::{Failure, Kind, Right};
use crate::wire::request::OfSession;

/// Gives a console to one of its sessions, from whoever has it; both are told.
///
/// For those who cannot ask for it themselves, such as telnet clients. In lava-console it is ~$force.
#[derive(Debug, Args)]
pub(super) struct ForceArgs {
    board: String,
    /// The session, as lava who numbers them.
    #[arg(long, value_name = "N")]
    session: u64,
    #[command(flatten)]
    lab: LabArgs,
}

/// Takes consoles away from whoever has them; they are told, and anybody may type again.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    boards: Boards,
}

pub(super) async fn force(args: ForceArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let board = lab.board(&args.board).await?;
    lab.permit(&board.name, Right::Control)?;
    let console = board
        .console
        .ok_or_else(|| Failure::new(Kind::User, format!("board {} has no console", board.name)))?;
    let request = OfSession { session: Some(args.session) };
    control::ask(&console, "force", ctx.user(), &request).await.map(|_| ())
}

pub(super) async fn release(args: ReleaseArgs, ctx: &Context) -> Result<(), Failure> {
    let consoles = args.boards.consoles(ctx, Right::Control).await?;
    let released = at_each(consoles, |_, console| async move {
        control::ask(&console, "release", ctx.user(), &OfSession::default()).await
    });
    outcome(released.await).1
}
