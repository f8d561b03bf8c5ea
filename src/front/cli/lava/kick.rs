//! `lava kick BOARD WHO...`: lets sessions go.

use clap::Args;

use super::super::user;
use super::{LabArgs, print};
use crate::client::control;
use crate::model::{Failure, Kind};

/// Disconnects others from a console; they are told by whom, and do not come back by themselves.
#[derive(Debug, Args)]
pub(super) struct KickArgs {
    board: String,
    /// Users, or numbers of sessions as lava who tells them.
    #[arg(required = true, value_name = "WHO")]
    whom: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
}

pub(super) async fn run(args: KickArgs) -> Result<(), Failure> {
    let board = args.lab.locate()?.board(&args.board).await?;
    let console = board
        .console
        .ok_or_else(|| Failure::new(Kind::User, format!("board {} has no console", board.name)))?;
    let user = user::user();
    for whom in &args.whom {
        for gone in control::kick(&console, &user, whom).await? {
            let line = format!("{} ({} from {})\n", gone.user, gone.via, gone.peer);
            print(line.as_bytes())?;
        }
    }
    Ok(())
}
