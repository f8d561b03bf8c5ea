//! `lava top [BOARD…]`: the boards and their consoles, live.

use std::process::ExitCode;

use clap::Args;

use super::super::keys::KeyArgs;
use super::super::tui;
use super::{Context, LabArgs};
use crate::config::top::TopConfig;
use crate::front::tui::{Options, facts};
use crate::model::{Failure, Right};

/// Shows the boards, their power, leases, last lines and health, and their consoles beside each other.
///
/// ? lists the keys, which ~/.config/lava/top.toml or /etc/lava/top.toml may change.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    /// The boards: names, or patterns such as 'rack*'. All of them when left out.
    #[arg(value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
}

/// Runs until the person leaves; everything is said when it returns.
pub(super) fn run(args: TopArgs, ctx: &Context) -> ExitCode {
    tui::at_terminal(async move {
        facts()?;
        let lab = args.lab.locate(ctx)?;
        // What is wrong is told while there is a line to tell it on.
        match args.boards.is_empty() {
            true => drop(lab.boards().await?),
            false => drop(lab.select(&args.boards, Right::See).await?),
        }
        let config = TopConfig::find()?;
        let escape = (&KeyArgs::default().escapes("")?).into();
        Ok::<_, Failure>((lab, Options { boards: args.boards, open: None, config, escape }))
    })
}
