//! `lava doctor`: what is wrong with this host's lab, and the command that mends it.

mod adapters;
mod configs;
mod daemons;
mod expiry;
mod host;
mod ports;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Context, LabArgs};
use crate::model::{Failure, Kind, shown};

/// Looks for what is wrong with this host's lab, and says what mends it. Changes nothing.
///
/// It looks at the inventory and the daemons in it, the daemons of this host, their configurations and the
/// addresses in them, the serial adapters, PDUs, the captures' disks, tokens, keys and certificates, the clock,
/// and systemd's units. Without --serial, --power and --ssh the configurations are those that the packages'
/// units use (/etc/lava/serial.d, serial/*.toml, power/*.toml and ssh.d), and what lava init has made.
///
/// Exit code 1 when something is wrong.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    lab: LabArgs,
    /// Configurations of lava-serial to look at.
    #[arg(long, value_name = "PATH")]
    serial: Vec<PathBuf>,
    /// Configurations of lava-power to look at.
    #[arg(long, value_name = "PATH")]
    power: Vec<PathBuf>,
    /// Configurations of lava-ssh to look at.
    #[arg(long, value_name = "PATH")]
    ssh: Vec<PathBuf>,
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

/// What was found in one matter.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at: `adapters`, `clock`, …
    check: &'static str,
    state: State,
    /// What is so, in a line.
    what: String,
    /// What mends it: a command where there is one.
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Good,
    Wrong,
    /// It cannot be told, or there is nothing to look at.
    Unknown,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Good, what: what.into(), mend: None }
    }

    fn unknown(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Unknown, what: what.into(), mend: None }
    }

    fn wrong(check: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, state: State::Wrong, what: what.into(), mend: Some(mend.into()) }
    }

    /// What somebody else has said of what is wrong.
    fn failed(check: &'static str, failure: Failure, mend: impl Into<String>) -> Self {
        Self::wrong(check, failure.message, failure.hint.unwrap_or_else(|| mend.into()))
    }
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    // No path has a NUL.
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), std::borrow::Cow::into_owned)
}

pub(super) async fn run(args: DoctorArgs, ctx: &Context) -> Result<(), Failure> {
    let clock = host::Clock::read();
    let configs = configs::Configs::read(&args.serial, &args.power, &args.ssh);
    let mut findings = Vec::new();
    let lab = args.lab.locate(ctx);
    daemons::look(lab, &mut findings).await;
    configs.look(&mut findings).await;
    adapters::look(&mut findings).await;
    host::units(&mut findings).await;
    clock.look(&mut findings);
    if args.json {
        ctx.print_json(&findings).await?;
    } else {
        ctx.print(text(&findings, ctx.screen().colours).as_bytes()).await?;
    }
    match findings.iter().filter(|finding| finding.state == State::Wrong).count() {
        0 => Ok(()),
        1 => Err(Failure::new(Kind::Failed, "1 thing is wrong")),
        wrong => Err(Failure::new(Kind::Failed, format!("{wrong} things are wrong"))),
    }
}

fn text(findings: &[Finding], colours: bool) -> String {
    let mut text = String::new();
    for Finding { check, state, what, mend } in findings {
        let (word, colour) = match state {
            State::Good => ("good", "32"),
            State::Wrong => ("wrong", "31"),
            State::Unknown => ("?", "33"),
        };
        let (on, off) = match colours {
            true => (format!("\x1b[{colour}m"), "\x1b[m"),
            false => (String::new(), ""),
        };
        // Reasons are daemons' and devices' own words.
        let lines: Vec<String> = what.lines().map(shown).collect();
        let what = lines.join(&format!("\n{:19}", ""));
        text.push_str(&format!("{on}{word:5}{off}  {check:11} {what}\n"));
        if let Some(mend) = mend {
            let lines: Vec<String> = mend.lines().map(shown).collect();
            text.push_str(&format!("{:19}mend: {}\n", "", lines.join(" ")));
        }
    }
    text
}
