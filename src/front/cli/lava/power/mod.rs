//! `lava power`: boards' outlets, and the power units that they are on.

mod drivers;
mod history;
mod list;
mod probe;
mod progress;
mod switch;

use clap::{Args, Subcommand};
use futures_util::future::BoxFuture;

pub(super) use self::probe::configuration;
pub(super) use self::switch::SwitchArgs;
use super::super::report;
use super::{Context, LabArgs};
use crate::model::{Failure, Verb};

/// Switches boards, or asks whether they have power; knows power units.
///
/// Exit code 0 when all of it was done; else that of the first board that failed.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    #[command(subcommand)]
    verb: PowerVerb,
}

/// The same for somebody who is not at this host.
#[derive(Debug, Args)]
pub(super) struct RemotePowerArgs {
    #[command(subcommand)]
    verb: BoardVerb,
}

#[derive(Debug, Subcommand)]
enum PowerVerb {
    #[command(flatten)]
    Board(BoardVerb),
    Drivers(drivers::DriversArgs),
    Probe(probe::ProbeArgs),
}

/// What is done with boards of the lab.
#[derive(Debug, Subcommand)]
enum BoardVerb {
    /// Switches boards on.
    On(SwitchArgs),
    /// Switches boards off.
    Off(SwitchArgs),
    /// Switches boards off, and on again.
    #[command(visible_alias = "reset")]
    Cycle(SwitchArgs),
    /// Asks whether boards have power.
    Status(SwitchArgs),
    /// Lists outlets: their boards, PDUs and ports, who uses them.
    List(list::ListArgs),
    /// Tells what was done to boards' power, by whom, and what came of it.
    History(history::HistoryArgs),
}

pub(super) async fn run(args: PowerArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        PowerVerb::Board(verb) => board(verb, ctx).await,
        PowerVerb::Drivers(args) => drivers::run(&args, ctx).await,
        PowerVerb::Probe(args) => Box::pin(probe::run(args, ctx)).await,
    }
}

/// `lava on`, and the like.
pub(super) async fn switch(args: SwitchArgs, verb: Verb, ctx: &Context) -> Result<(), Failure> {
    switch::run(args, verb, ctx).await
}

pub(super) async fn run_remote(args: RemotePowerArgs, ctx: &Context) -> Result<(), Failure> {
    board(args.verb, ctx).await
}

fn board(verb: BoardVerb, ctx: &Context) -> BoxFuture<'_, Result<(), Failure>> {
    match verb {
        BoardVerb::On(args) => Box::pin(switch::run(args, Verb::On, ctx)),
        BoardVerb::Off(args) => Box::pin(switch::run(args, Verb::Off, ctx)),
        BoardVerb::Cycle(args) => Box::pin(switch::run(args, Verb::Cycle, ctx)),
        BoardVerb::Status(args) => Box::pin(switch::run(args, Verb::Status, ctx)),
        BoardVerb::List(args) => Box::pin(list::run(args, ctx)),
        BoardVerb::History(args) => Box::pin(history::run(args, ctx)),
    }
}
