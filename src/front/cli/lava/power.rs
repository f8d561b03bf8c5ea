//! `lava power on|off|cycle|status BOARD...`.

use clap::{Args, ValueEnum};
use futures_util::future::join_all;

use super::super::{report, user};
use super::{LabArgs, print, print_json};
use crate::client::{lab::Lab, outlet};
use crate::model::{Failure, Kind, PowerRequest, Report, Verb};

/// Switches boards, or asks whether they have power.
///
/// Exit code 0 when all of it was done; else that of the first board that failed.
#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    verb: PowerVerb,
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// Why, for the record and for everyone attached.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Switch also what somebody else holds. Everyone attached is told, with the reason.
    #[arg(long, requires = "reason")]
    force: bool,
    /// A line of JSON for each board, as lava-power reports it.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PowerVerb {
    On,
    Off,
    /// Off, and on again.
    Cycle,
    Status,
}

pub(super) async fn run(args: PowerArgs) -> Result<(), Failure> {
    let lab = args.lab.locate()?;
    let verb = match args.verb {
        PowerVerb::On => Verb::On,
        PowerVerb::Off => Verb::Off,
        PowerVerb::Cycle => Verb::Cycle,
        PowerVerb::Status => Verb::Status,
    };
    let request = PowerRequest { user: Some(user::user()), reason: args.reason, force: args.force };
    let operations = args.boards.iter().map(|board| operate(&lab, board, verb, &request));
    let (mut kind, mut messages) = (None, Vec::new());
    for result in join_all(operations).await {
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
