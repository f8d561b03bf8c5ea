//! The verbs of `lava`, one file each.

mod boards;
mod breaks;
mod broadcast;
mod close;
mod crowd;
mod force;
mod import;
mod kick;
mod line;
mod log;
mod msg;
mod power;
mod send;
mod serial;
mod several;
mod token;
mod top;
mod watch;
mod who;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use super::print;
use super::{console, demo};
use crate::client::lab::Lab;
use crate::model::{Failure, Kind};

/// Boards, their power, their consoles and what they printed.
///
/// Exit codes: 0 done; 1 the thing asked for failed; 2 wrong usage, unknown board or wrong
/// configuration; 3 a daemon or a PDU is at fault; 4 refused; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "lava", version)]
pub struct LavaArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Boards(boards::BoardsArgs),
    Break(breaks::BreakArgs),
    Broadcast(broadcast::BroadcastArgs),
    Close(close::CloseArgs),
    Console(console::ConsoleArgs),
    Demo(demo::DemoArgs),
    Force(force::ForceArgs),
    Import(import::ImportArgs),
    Kick(kick::KickArgs),
    Line(line::LineArgs),
    Log(log::LogArgs),
    Msg(msg::MsgArgs),
    Open(close::OpenArgs),
    Power(power::PowerArgs),
    Release(force::ReleaseArgs),
    Send(send::SendArgs),
    Serial(serial::SerialArgs),
    Token(token::TokenArgs),
    Top(top::TopArgs),
    Watch(watch::WatchArgs),
    Who(who::WhoArgs),
}

/// Where a verb looks boards up.
#[derive(Debug, Args)]
struct LabArgs {
    /// Look boards up in this inventory. Else: $LAVA_SERVER, $LAVA_LAB, ~/.config/lava/lab.toml,
    /// /etc/lava/lab.toml, the daemons of this host.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    lab: Option<PathBuf>,
    /// Look boards up at this server.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

impl LabArgs {
    fn locate(&self) -> Result<Lab, Failure> {
        Lab::locate(self.server.as_deref(), self.lab.clone())
    }
}

/// Runs the program; everything is already said when it returns.
pub fn run(args: LavaArgs) -> ExitCode {
    match args.verb {
        Verb::Boards(args) => super::exit(wait(boards::run(args))),
        Verb::Break(args) => super::exit(wait(breaks::run(args))),
        Verb::Broadcast(args) => broadcast::run(args),
        Verb::Close(args) => super::exit(wait(close::close(args))),
        Verb::Open(args) => super::exit(wait(close::open(args))),
        Verb::Console(args) => console::run(args),
        Verb::Demo(args) => super::exit(serve(demo::run(args))),
        Verb::Force(args) => super::exit(wait(force::force(args))),
        Verb::Import(args) => super::exit(import::run(&args)),
        Verb::Kick(args) => super::exit(wait(kick::run(args))),
        Verb::Line(args) => super::exit(wait(line::run(args))),
        Verb::Msg(args) => super::exit(wait(msg::run(args))),
        Verb::Release(args) => super::exit(wait(force::release(args))),
        Verb::Send(args) => super::exit(wait(send::run(args))),
        Verb::Watch(args) => super::exit(wait(watch::run(args))),
        Verb::Who(args) => super::exit(wait(who::run(args))),
        Verb::Log(args) => super::exit(wait(log::run(args))),
        Verb::Power(args) => super::exit(wait(power::run(args))),
        Verb::Serial(args) => super::exit(wait(serial::run(args))),
        Verb::Token(args) => super::exit(token::run(args)),
        Verb::Top(args) => top::run(args),
    }
}

/// Runs a verb that talks to daemons.
fn wait(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?.block_on(verb)
}

/// Runs a verb that is a whole lab by itself.
fn serve(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?.block_on(verb)
}

/// Prints a value as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value);
    let json = json.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    print(format!("{json}\n").as_bytes())
}
