//! `lava image`: files that the lab's server keeps for jobs and boards.

mod get;
mod list;
mod put;

use clap::{Args, Subcommand};

pub(super) use list::{ListArgs, list};

use super::Context;
use super::board::{ServerArg, tell};
use crate::model::Failure;

/// The images that a lava-server keeps: kernels, root file systems, firmware.
///
/// An image is a file with a name. It is had at URL/images/NAME/content, by boards and jobs as well, and is checked
/// whenever it is read whole. Unless it is to be kept, it goes after some time.
#[derive(Debug, Args)]
pub(super) struct ImageArgs {
    #[command(subcommand)]
    verb: ImageVerb,
}

#[derive(Debug, Subcommand)]
enum ImageVerb {
    Get(get::GetArgs),
    List(ListArgs),
    Put(put::PutArgs),
    Remove(list::RemoveArgs),
}

pub(super) async fn run(args: ImageArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        ImageVerb::Get(args) => get::get(args, ctx).await,
        ImageVerb::List(args) => list(args, ctx).await,
        ImageVerb::Put(args) => put::put(args, ctx).await,
        ImageVerb::Remove(args) => list::remove(args, ctx).await,
    }
}
