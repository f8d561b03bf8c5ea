//! The same at several consoles at once.

use clap::Args;
use futures_util::future::join_all;

use super::LabArgs;
use crate::client::ConsoleRef;
use crate::model::{Failure, Name};

/// Which boards are meant, and where they are looked up.
#[derive(Debug, Args)]
pub(super) struct Boards {
    /// The boards: names, or patterns such as 'rack*' or 'panda[1-3]'.
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
}

impl Boards {
    /// Their consoles, by the boards' names.
    pub(super) async fn consoles(&self) -> Result<Vec<(Name, ConsoleRef)>, Failure> {
        self.lab.locate()?.consoles(&self.boards).await
    }
}

/// Does the same at each console, all at once. Gives what came of it, in the order of the boards.
pub(super) async fn at_each<T>(
    consoles: &[(Name, ConsoleRef)],
    act: impl AsyncFn(&Name, &ConsoleRef) -> Result<T, Failure>,
) -> Vec<(Name, Result<T, Failure>)> {
    let each = consoles.iter().map(async |(name, console)| {
        let done = act(name, console).await;
        (name.clone(), done)
    });
    join_all(each).await
}

/// Shows what was done, and gathers what failed: the kind is that of the first board that did.
pub(super) fn outcome<T>(
    results: Vec<(Name, Result<T, Failure>)>,
    mut show: impl FnMut(&Name, T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut all: Option<Failure> = None;
    for (name, result) in results {
        match result {
            Ok(done) => show(&name, done)?,
            Err(failure) => {
                let told = format!("{name}: {}", failure.message);
                match &mut all {
                    Some(all) => {
                        all.message.push('\n');
                        all.message.push_str(&told);
                        all.hint = all.hint.take().or(failure.hint);
                    }
                    None => all = Some(Failure { message: told, ..failure }),
                }
            }
        }
    }
    all.map_or(Ok(()), Err)
}
