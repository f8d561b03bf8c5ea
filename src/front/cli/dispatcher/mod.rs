//! The command line of `lava-dispatcher`.

mod group;
mod lines;
mod pipeline;
mod run;

pub use group::CoordinatorArgs;
pub use lines::Lines;
pub use pipeline::PipelineArgs;
pub use run::RunArgs;

use clap::{Parser, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::model::Failure;

/// Runs LAVA jobs on a board: only a console and an outlet are needed.
///
/// Exit codes: 0 done, and no test case failed; 1 a test case or the job failed; 2 wrong usage, job
/// or device; 3 the lab is at fault; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "lava-dispatcher", version)]
pub struct DispatcherArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the tree of actions that a job is on a device; nothing outside the two files is looked at.
    Pipeline(PipelineArgs),
    /// Run a job.
    Run(Box<RunArgs>),
    /// Bring together the boards of jobs for several boards that are run by more than one `run`.
    Coordinator(CoordinatorArgs),
}

/// How a pipeline is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: one action per line, inner ones indented.
    Tree,
    Yaml,
    Json,
}

impl DispatcherArgs {
    /// Does what was asked for. A job that runs when `cancelled` is cancelled is ended in good order.
    ///
    /// # Errors
    /// What went wrong; its kind gives the exit code.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        match self.verb {
            Verb::Pipeline(args) => args.run(),
            Verb::Run(args) => args.run(cancelled).await,
            Verb::Coordinator(args) => args.run(cancelled).await,
        }
    }
}
