//! `lava top` and several consoles at once, at the terminal of this process.

use std::process::ExitCode;

use tokio_util::task::TaskTracker;

use super::console::told_to_end;
use super::user::user;
use crate::client::lab::Lab;
use crate::config::top::TopConfig;
use crate::front::tui::{EscapeKeys, Local, facts, run};
pub(super) use crate::front::tui::{Open, Options};
use crate::model::{Failure, Kind, Right};

/// Serves the person at this terminal, once it is known what is to be shown.
pub(super) fn at_terminal(
    asked: impl Future<Output = Result<(Lab, Options), Failure>>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::exit(Err(Failure::from_error(Kind::Infra, &error))),
    };
    let result = runtime.block_on(async {
        // Whatever is waited for, dropping it restores the terminal.
        tokio::select! {
            failure = told_to_end() => Err(failure),
            result = serve(asked) => result,
        }
    });
    // A read from a terminal, or a write to a stopped one, cannot be called back.
    runtime.shutdown_background();
    super::exit(result)
}

async fn serve(
    asked: impl Future<Output = Result<(Lab, Options), Failure>>,
) -> Result<(), Failure> {
    let (lab, options) = asked.await?;
    let tasks = TaskTracker::new();
    let (_local, terminal) = Local::enter(&tasks)?;
    Box::pin(run(terminal, lab, user(), options)).await
}

/// The consoles of several boards beside each other.
///
/// # Errors
/// As [`Lab::consoles`], and when there is no terminal for it.
pub(super) async fn tiled(
    lab: Lab,
    mut open: Open,
    escape: EscapeKeys,
) -> Result<(Lab, Options), Failure> {
    facts()?;
    let consoles = lab.consoles(&open.boards, Right::Spy).await?;
    open.boards = consoles.into_iter().map(|(name, _)| name.to_string()).collect();
    let config = TopConfig::find()?;
    Ok((lab, Options { boards: open.boards.clone(), open: Some(open), config, escape }))
}
