//! `lava power on|off|cycle|status BOARD...`.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use futures_util::future::join_all;

use super::progress::Progress;
use super::{LabArgs, print, print_json, report, user};
use crate::client::{lab::Lab, outlet};
use crate::model::{Failure, Kind, PowerRequest, Refusal, Report, Verb};

/// The reason of somebody who gave none, and was asked.
const CONFIRMED: &str = "confirmed at the terminal";

#[derive(Debug, Args)]
pub(super) struct SwitchArgs {
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// Why, for the record and for everyone attached.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also when somebody else holds the board's console. Without it a person at a terminal is
    /// asked, and a script is refused (exit code 4).
    #[arg(long, requires = "reason")]
    force: bool,
    /// A line of JSON for each board, as lava-power reports it.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: SwitchArgs, verb: Verb) -> Result<(), Failure> {
    let lab = args.lab.locate()?;
    if args.force && verb == Verb::Status {
        return Err(Failure::new(Kind::User, "--force is of no use with status"));
    }
    let request = PowerRequest { user: Some(user::user()), reason: args.reason, force: args.force };
    let progress = Progress::new();
    let operations = args.boards.iter().map(async |board| {
        let _line = progress.board(board, verb);
        operate(&lab, board, verb, &request).await
    });
    let (mut kind, mut messages) = (None, Vec::new());
    for (board, result) in args.boards.iter().zip(join_all(operations).await) {
        let result = match result {
            Err(refusal)
                if refusal.refusal.is_some_and(Refusal::yields_to_force) && !args.force =>
            {
                if confirmed(&refusal)? {
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
            Ok(report) if args.json => print_json(&report)?,
            Ok(report) => print(format!("{}\n", report::text(&report)).as_bytes())?,
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
    let outlet = board.outlet.ok_or_else(|| {
        Failure::new(Kind::User, format!("board {} has no outlet {lab}", board.name))
    })?;
    outlet::operate(&outlet, verb, request).await
}
