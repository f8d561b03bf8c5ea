//! `lava force BOARD --session N`: who has a console.

use clap::Args;

use super::several::done;
use super::{Context, LabArgs};
use crate::client::control;
use crate::model::{Failure, Kind, Right};
use crate::wire::request::OfSession;

/// Gives a console to one of its sessions, from whoever has it; both are told.
///
/// For those who cannot ask for it themselves, such as telnet clients. In lava-console it is ~$force.
#[derive(Debug, Args)]
pub(super) struct ForceArgs {
    /// The board.
    board: String,
    /// The session, as lava who numbers them.
    #[arg(long, value_name = "N")]
    session: u64,
    #[command(flatten)]
    lab: LabArgs,
    /// A line of JSON when it is done.
    #[arg(long)]
    json: bool,
}

pub(super) async fn force(args: ForceArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let board = lab.board(&args.board).await?;
    lab.permit(&board.name, Right::Control)?;
    let console = board
        .console
        .ok_or_else(|| Failure::new(Kind::User, format!("board {} has no console", board.name)))?;
    let request = OfSession { session: Some(args.session) };
    let forced = control::ask(&console, "force", ctx.user(), &request).await;
    done(ctx, args.json, vec![(board.name, forced)]).await
}
