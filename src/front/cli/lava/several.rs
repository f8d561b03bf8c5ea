//! The same at several consoles at once.

use clap::Args;
use futures_util::future::join_all;

use super::{Context, LabArgs};
use crate::client::ConsoleRef;
use crate::client::lab::{Board, Lab};
use crate::model::{Failure, Name, Right};

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
    /// The lab that they are in.
    pub(super) fn locate(&self, ctx: &Context) -> Result<Lab, Failure> {
        self.lab.locate(ctx)
    }

    /// They themselves, for what needs a right.
    pub(super) async fn select(&self, ctx: &Context, need: Right) -> Result<Vec<Board>, Failure> {
        self.lab.locate(ctx)?.select(&self.boards, need).await
    }

    /// Their consoles, by the boards' names, for what needs a right.
    pub(super) async fn consoles(
        &self,
        ctx: &Context,
        need: Right,
    ) -> Result<Vec<(Name, ConsoleRef)>, Failure> {
        self.lab.locate(ctx)?.consoles(&self.boards, need).await
    }
}

/// Does the same at each console, all at once. Gives what came of it, in the order of the boards.
pub(super) async fn at_each<T, F: Future<Output = Result<T, Failure>>>(
    consoles: Vec<(Name, ConsoleRef)>,
    act: impl Fn(Name, ConsoleRef) -> F,
) -> Vec<(Name, Result<T, Failure>)> {
    let (names, acts): (Vec<Name>, Vec<F>) =
        consoles.into_iter().map(|(name, console)| (name.clone(), act(name, console))).unzip();
    names.into_iter().zip(join_all(acts).await).collect()
}

/// What was done, and what failed: the kind is that of the first board that did.
pub(super) fn outcome<T>(
    results: Vec<(Name, Result<T, Failure>)>,
) -> (Vec<(Name, T)>, Result<(), Failure>) {
    let mut all: Option<Failure> = None;
    let mut each = Vec::new();
    for (name, result) in results {
        match result {
            Ok(done) => each.push((name, done)),
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
    (each, all.map_or(Ok(()), Err))
}

/// What came of something that has no result of its own: with `json` a line for each board where it is done.
pub(super) async fn done<T>(
    ctx: &Context,
    json: bool,
    results: Vec<(Name, Result<T, Failure>)>,
) -> Result<(), Failure> {
    let (done, failed) = outcome(results);
    for (board, _) in done.into_iter().filter(|_| json) {
        ctx.print_json(&serde_json::json!({"board": board, "done": true})).await?;
    }
    failed
}
