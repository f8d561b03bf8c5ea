//! `lava board`: what boards the lab has, as its server knows them.

mod add;
mod folder;
mod health;
mod identify;
mod list;

use clap::{Args, Subcommand};

use super::Context;
use crate::client::server::LabServer;
use crate::model::Failure;

/// The boards that a lava-server knows: what they are, how they are, and where they come from.
///
/// A board is put together from a console and an outlet that daemons have announced ([server] in their
/// configurations), or that are named by their URLs.
#[derive(Debug, Args)]
pub(super) struct BoardArgs {
    #[command(subcommand)]
    verb: BoardVerb,
}

#[derive(Debug, Subcommand)]
enum BoardVerb {
    Add(add::AddArgs),
    Apply(folder::ApplyArgs),
    Check(health::CheckArgs),
    Export(folder::ExportArgs),
    Free(list::FreeArgs),
    Health(health::HealthArgs),
    History(list::HistoryArgs),
    Identify(identify::IdentifyArgs),
    List(list::ListArgs),
    Maintenance(health::MaintenanceArgs),
    Remove(add::RemoveArgs),
    Set(add::SetArgs),
    Show(list::ShowArgs),
}

/// Which server is meant.
#[derive(Debug, Args)]
pub(super) struct ServerArg {
    /// Ask this lava-server. Else: $LAVA_SERVER, the one of this host.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// JSON, a value a line.
    #[arg(long)]
    pub(super) json: bool,
}

impl ServerArg {
    /// # Errors
    /// As [`LabServer::locate`].
    pub(super) fn locate(&self) -> Result<LabServer, Failure> {
        LabServer::locate(self.server.as_deref())
    }
}

/// Prints what was done: a value, or a sentence for people.
pub(super) async fn tell(
    ctx: &Context,
    json: bool,
    value: &impl serde::Serialize,
    text: &str,
) -> Result<(), Failure> {
    match json {
        true => ctx.print_json(value).await,
        false => ctx.print(text.as_bytes()).await,
    }
}

pub(super) async fn run(args: BoardArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        BoardVerb::Add(args) => add::add(args, ctx).await,
        BoardVerb::Apply(args) => folder::apply(args, ctx).await,
        BoardVerb::Check(args) => health::check(args, ctx).await,
        BoardVerb::Export(args) => folder::export(args, ctx).await,
        BoardVerb::Free(args) => list::free(args, ctx).await,
        BoardVerb::Health(args) => health::health(args, ctx).await,
        BoardVerb::History(args) => list::history(args, ctx).await,
        BoardVerb::Identify(args) => identify::identify(args, ctx).await,
        BoardVerb::List(args) => list::list(args, ctx).await,
        BoardVerb::Maintenance(args) => health::maintenance(args, ctx).await,
        BoardVerb::Remove(args) => add::remove(args, ctx).await,
        BoardVerb::Set(args) => add::set(args, ctx).await,
        BoardVerb::Show(args) => list::show(args, ctx).await,
    }
}
