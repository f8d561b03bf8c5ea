//! `lava power on|off|cycle|status BOARD...`.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use futures_util::future::join_all;

use super::progress::Progress;
use super::{Context, LabArgs, report};
use crate::client::{lab::Lab, outlet};
use crate::model::{Failure, Glob, Kind, PowerRequest, Refusal, Report, Right, Verb};

/// The reason of somebody who gave none, and was asked.
const CONFIRMED: &str = "confirmed at the terminal";

#[derive(Debug, Args)]
pub(in super::super) struct SwitchArgs {
    /// The boards: names, or patterns such as 'rack*'.
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// Why, for the record and for everyone attached.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also when somebody else holds the board's console. Without it a person at a terminal is
    /// asked, and a script, or who comes by ssh, is refused (exit code 4).
    #[arg(long, requires = "reason")]
    force: bool,
    /// A line of JSON for each board, as lava-power reports it.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: SwitchArgs, verb: Verb, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    if args.force && verb == Verb::Status {
        return Err(Failure::new(Kind::User, "--force is of no use with status"));
    }
    let request =
        PowerRequest { user: Some(ctx.user().to_owned()), reason: args.reason, force: args.force };
    let boards = names(&lab, args.boards).await?;
    let progress = Progress::new(ctx);
    let operations = boards.iter().map(|board| {
        let line = progress.board(board, verb);
        let operation = operate(&lab, board, verb, &request);
        async move {
            let _line = line;
            operation.await
        }
    });
    let (mut kind, mut messages) = (None, Vec::new());
    for (board, result) in boards.iter().zip(join_all(operations).await) {
        let result = match result {
            Err(refusal)
                if refusal.refusal.is_some_and(Refusal::yields_to_force) && !args.force =>
            {
                if ctx.is_local() && confirmed(&refusal)? {
                    let request = PowerRequest {
                        force: true,
                        reason: request.reason.clone().or_else(|| Some(CONFIRMED.into())),
                        ..request.clone()
                    };
                    operate(&lab, board, verb, &request).await
                } else {
                    let how = "--force --reason TEXT does it all the same";
                    Err(Failure { message: format!("{}; {how}", refusal.message), ..refusal })
                }
            }
            result => result,
        };
        match result {
            Ok(report) if args.json => ctx.print_json(&report).await?,
            Ok(report) => ctx.print(format!("{}\n", report::text(&report)).as_bytes()).await?,
            Err(failure) => {
                kind.get_or_insert(failure.kind);
                messages.push(failure.to_string());
            }
        }
    }
    match kind {
        None => Ok(()),
        Some(kind) => Err(Failure::new(kind, messages.join("\n"))),
    }
}

/// The names that are meant, each once. What is none is told with the others' outcomes.
async fn names(lab: &Lab, meant: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for text in meant {
        let found = match Glob::is_pattern(&text) {
            true => {
                let boards = lab.select(&[text], Right::See).await?.into_iter();
                boards.filter(|it| it.outlet.is_some()).map(|it| it.name.to_string()).collect()
            }
            false => vec![text],
        };
        for name in found {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Asks the person at the terminal whether to do it all the same; no without one.
fn confirmed(refusal: &Failure) -> Result<bool, Failure> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(false);
    }
    let broken = |error: std::io::Error| Failure::from_error(Kind::Infra, &error);
    write!(stderr, "{}; do it all the same? [y/N] ", refusal.message).map_err(broken)?;
    let mut answer = String::new();
    stdin.read_line(&mut answer).map_err(broken)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn operate(
    lab: &Lab,
    board: &str,
    verb: Verb,
    request: &PowerRequest,
) -> Result<Report, Failure> {
    let board = lab.board(board).await?;
    let need = match (verb, request.force) {
        (Verb::Status, _) => Right::See,
        (_, false) => Right::Write,
        (_, true) => Right::Control,
    };
    lab.permit(&board.name, need)?;
    let outlet = board.outlet.ok_or_else(|| {
        Failure::new(Kind::User, format!("board {} has no outlet {lab}", board.name))
    })?;
    outlet::operate(&outlet, verb, request).await
}
