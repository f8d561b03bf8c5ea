//! `lava board identify`.

use clap::Args;

use super::{Context, ServerArg, tell};
use crate::model::{BoardIdentity, Failure, Kind, Mac, Name, Verdict};

/// Compares what a board tells of itself with what is known of it.
///
/// What it tells first is written down. When it tells something else later it was swapped, or is a copy: it is bad
/// then, until --accept says that it is right, and `lava board health good` that it may be used. A job's `lava-identity`
/// and the Python library's `board.identify()` ask the board itself.
///
/// Exit code 1: it is another one than it was.
#[derive(Debug, Args)]
pub(super) struct IdentifyArgs {
    board: Name,
    /// A hardware address that it has.
    #[arg(long, value_name = "ADDRESS")]
    mac: Vec<Mac>,
    /// What its /etc/lava-identity says, or its serial number.
    #[arg(long, value_name = "TEXT")]
    identity: Option<String>,
    /// That is right, whatever was known before. Without anything, all is forgotten that was known.
    #[arg(long)]
    accept: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn identify(args: IdentifyArgs, ctx: &Context) -> Result<(), Failure> {
    let IdentifyArgs { board, mac, identity, accept, server } = args;
    let user = Some(ctx.user().to_owned());
    let told = BoardIdentity { mac: mac.into_iter().collect(), identity, accept, user };
    let verdict = server.locate()?.identify(board.as_str(), &told).await?;
    let another = verdict.verdict == Verdict::Another;
    if !another || server.json {
        tell(ctx, server.json, &verdict, &format!("{board}: {}\n", verdict.why)).await?;
    }
    match another {
        true => Err(Failure::new(Kind::Failed, format!("{board}: {}", verdict.why))),
        false => Ok(()),
    }
}
