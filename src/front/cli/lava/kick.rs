//! `lava kick BOARD WHO...`: lets sessions go.

use clap::Args;

use super::{Context, LabArgs};
use crate::client::control;
use crate::model::{Failure, Kind, Right};

/// Disconnects others from a console; they are told by whom, and do not come back by themselves.
#[derive(Debug, Args)]
pub(super) struct KickArgs {
    /// The board.
    board: String,
    /// Users, or numbers of sessions as lava who tells them.
    #[arg(required = true, value_name = "WHO")]
    whom: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// A line of JSON for each session.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: KickArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let board = lab.board(&args.board).await?;
    lab.permit(&board.name, Right::Control)?;
    let console = board
        .console
        .ok_or_else(|| Failure::new(Kind::User, format!("board {} has no console", board.name)))?;
    for whom in &args.whom {
        for gone in control::kick(&console, ctx.user(), whom).await? {
            if args.json {
                ctx.print_json(&gone).await?;
                continue;
            }
            let line = format!("{} ({} from {})\n", gone.user, gone.via, gone.peer);
            ctx.print(line.as_bytes()).await?;
        }
    }
    Ok(())
}
