//! `lava line BOARD [SETTINGS...]`: how a console's line is, or is to be.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::line_text;
use super::several::{at_each, outcome};
use super::{Context, LabArgs};
use crate::client::control;
use crate::model::{Failure, Kind, Name, Right};
use crate::wire::attach::Answer;
use crate::wire::line::{LineState, SetLine};

/// Shows how a console's serial line is set and what its wires say, or sets it.
#[derive(Debug, Args)]
pub(super) struct LineArgs {
    /// The board, or a pattern of several such as 'rack*'.
    board: String,
    /// What is to be set: 9600e7, 115200, 7e1, rtscts, xonxoff, none. The rest stays as it is.
    settings: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    #[arg(long, value_name = "STATE")]
    dtr: Option<Switch>,
    #[arg(long, value_name = "STATE")]
    rts: Option<Switch>,
    /// Set --dtr and --rts only for so long, then as before.
    #[arg(long, value_name = "MS")]
    pulse: Option<u64>,
    /// A line of JSON for each board.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Serialize)]
struct Row {
    board: Name,
    #[serde(flatten)]
    line: LineState,
}

pub(super) async fn run(args: LineArgs, ctx: &Context) -> Result<(), Failure> {
    let settings = Some(args.settings.join(" ")).filter(|settings| !settings.is_empty());
    let request = SetLine {
        settings,
        dtr: args.dtr.map(|state| state == Switch::On),
        rts: args.rts.map(|state| state == Switch::On),
        pulse_ms: args.pulse,
        ..SetLine::default()
    };
    request.wishes().map_err(|error| Failure::new(Kind::User, error))?;
    let need = if request == SetLine::default() { Right::Spy } else { Right::Control };
    let consoles = args.lab.locate(ctx)?.consoles(&[args.board], need).await?;
    let request = &request;
    let lines = at_each(consoles, |_, console| async move {
        match control::ask(&console, "line", ctx.user(), request).await? {
            Answer::Line(line) => Ok(line),
            other => Err(Failure::new(Kind::Lab, format!("this is no line: {other:?}"))),
        }
    });
    let (lines, failed) = outcome(lines.await);
    for (board, line) in lines {
        if args.json {
            ctx.print_json(&Row { board, line }).await?;
        } else {
            ctx.print(format!("{board}: {}\n", line_text::text(&line)).as_bytes()).await?;
        }
    }
    failed
}
