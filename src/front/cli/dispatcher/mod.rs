//! The command line of `lava-dispatcher`.

mod group;
mod lines;
mod pipeline;
mod render;
mod reports;
mod run;
mod script;
mod show;
mod tree;
mod watch;
mod worker;

pub use group::CoordinatorArgs;
pub use pipeline::PipelineArgs;
pub use render::RenderArgs;
pub use run::RunArgs;
pub use script::ScriptArgs;
pub use show::{ShowArgs, line as log_line};
pub use watch::watcher;
pub use worker::WorkerArgs;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::dispatch::guard;
use crate::dispatch::worker::contact::LastContact;
use crate::model::{CutOff, Failure, Kind};

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
    /// Render a device's Jinja2 template with a job's context, and check the dictionary that comes of it.
    Render(RenderArgs),
    /// Run a job.
    Run(Box<RunArgs>),
    /// Bring together the boards of jobs for several boards that are run by more than one `run`.
    Coordinator(CoordinatorArgs),
    /// Show the log or the results of a job that has run, from its output folder.
    Show(ShowArgs),
    /// Run the script of a CI job; only workers call it.
    #[command(hide = true)]
    Script(Box<ScriptArgs>),
    /// Take jobs from a lava-server, and run each as a process of its own.
    Worker(Box<WorkerArgs>),
    /// Clean up after the job that started this when it is killed; nobody else calls it.
    #[command(hide = true)]
    Guard,
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
    /// Begins anew as a program that a guard can tell from others, where this is to run a job and was not
    /// begun so; returns else, and when it cannot be done.
    pub fn mark(&self) {
        use std::os::unix::process::CommandExt as _;
        if !matches!(self.verb, Verb::Run(_) | Verb::Script(_)) || guard::own_mark().is_some() {
            return;
        }
        let Ok(own) = std::env::current_exe() else { return };
        // What is there already is the mark of a job around this one, whose end is not ours.
        let mark = guard::new_mark();
        guard::enter_cgroup(&mark);
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let mut again = std::process::Command::new(own);
        let error = again.arg0(name).args(arguments).env(guard::MARK, mark).exec();
        tracing::debug!(%error, "what the job starts is not marked");
    }

    /// Whether this waits for a job's end, without a runtime.
    pub fn is_guard(&self) -> bool {
        matches!(self.verb, Verb::Guard)
    }

    /// Does what was asked for. A job that runs when `cancelled` is cancelled is ended in good order.
    ///
    /// # Errors
    /// What went wrong; its kind gives the exit code.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        match self.verb {
            Verb::Pipeline(args) => args.run(),
            Verb::Render(args) => args.run(),
            Verb::Run(args) => {
                let contact = args.contact.clone();
                let run = async |cancelled: &CancellationToken| args.run(cancelled).await;
                let done = while_in_contact(contact, cancelled, run).await;
                // A flasher may have left a daemon behind.
                guard::sweep().await;
                done
            }
            Verb::Script(args) => {
                let contact = args.contact.clone();
                let run = async |cancelled: &CancellationToken| args.run(cancelled).await;
                let done = while_in_contact(contact, cancelled, run).await;
                guard::sweep().await;
                done
            }
            Verb::Coordinator(args) => args.run(cancelled).await,
            Verb::Show(args) => args.run(),
            Verb::Worker(args) => args.run(cancelled).await,
            Verb::Guard => guard::guard(),
        }
    }
}

/// Runs a job, and has it end in time when there is no contact any more with the server that it is of.
async fn while_in_contact(
    contact: Option<PathBuf>,
    cancelled: &CancellationToken,
    run: impl AsyncFnOnce(&CancellationToken) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let own = cancelled.child_token();
    let Some(contact) = contact else { return run(&own).await };
    let ends = async {
        LastContact::in_file(&contact).until(CutOff::ends).await;
        tell(&["nothing is heard of the server any more: the job ends".to_owned()]);
        own.cancel();
        std::future::pending().await
    };
    tokio::select! {
        biased;
        done = ends => done,
        done = run(&own) => done,
    }
}

/// Says what is odd about a job on standard error. Whoever does not read it is not helped by a failure
/// either.
fn tell(notes: &[String]) {
    for note in notes {
        let _ = writeln!(std::io::stderr(), "note: {note}");
    }
}

/// Writes to standard output. A reader who has seen enough is no failure.
fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::from_error(Kind::Infra, &error)),
    }
}
