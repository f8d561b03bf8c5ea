//! `lava power`: boards' outlets, and the power units that they are on.

mod drivers;
mod history;
mod list;
mod probe;
mod progress;
mod switch;

use clap::{Args, Subcommand};

use super::super::{report, user};
use super::{LabArgs, print, print_json};
use crate::model::{Failure, Verb};

/// Switches boards, or asks whether they have power; knows power units.
///
/// Exit code 0 when all of it was done; else that of the first board that failed.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    #[command(subcommand)]
    verb: PowerVerb,
}

#[derive(Debug, Subcommand)]
enum PowerVerb {
    /// Switches boards on.
    On(switch::SwitchArgs),
    /// Switches boards off.
    Off(switch::SwitchArgs),
    /// Switches boards off, and on again.
    Cycle(switch::SwitchArgs),
    /// Asks whether boards have power.
    Status(switch::SwitchArgs),
    /// Lists outlets: their boards, PDUs and ports, who uses them.
    List(list::ListArgs),
    /// Tells what was done to boards' power, by whom, and what came of it.
    History(history::HistoryArgs),
    Drivers(drivers::DriversArgs),
    Probe(probe::ProbeArgs),
}

pub(super) async fn run(args: PowerArgs) -> Result<(), Failure> {
    match args.verb {
        PowerVerb::On(args) => switch::run(args, Verb::On).await,
        PowerVerb::Off(args) => switch::run(args, Verb::Off).await,
        PowerVerb::Cycle(args) => switch::run(args, Verb::Cycle).await,
        PowerVerb::Status(args) => switch::run(args, Verb::Status).await,
        PowerVerb::List(args) => list::run(args).await,
        PowerVerb::History(args) => history::run(args).await,
        PowerVerb::Drivers(args) => drivers::run(&args),
        PowerVerb::Probe(args) => Box::pin(probe::run(args)).await,
    }
}
