//! All of our programs, as their command lines describe themselves: for completions and manual pages.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{Command, CommandFactory as _, ValueEnum};
use clap_complete::env::CompleteEnv;
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::console::ConsoleArgs;
use super::dispatcher::DispatcherArgs;
use super::lava::LavaArgs;
use super::power::PowerArgs;
use super::serial::SerialArgs;
use super::server::ServerArgs;
use super::ssh::SshArgs;
use crate::client::lab::Lab;

/// How long a person who has pressed Tab waits for boards' names, at most.
const PATIENCE: Duration = Duration::from_millis(500);

/// A program of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Program {
    #[value(name = "lava")]
    Lava,
    #[value(name = "lava-console")]
    Console,
    #[value(name = "lava-dispatcher")]
    Dispatcher,
    #[value(name = "lava-power")]
    Power,
    #[value(name = "lava-serial")]
    Serial,
    #[value(name = "lava-server")]
    Server,
    #[value(name = "lava-ssh")]
    Ssh,
}

impl Program {
    /// Answers a shell that asks how a command line goes on, and ends the process then; `$COMPLETE` says
    /// that one asks.
    pub fn complete(self) {
        CompleteEnv::with_factory(|| self.command()).complete();
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Lava => "lava",
            Self::Console => "lava-console",
            Self::Dispatcher => "lava-dispatcher",
            Self::Power => "lava-power",
            Self::Serial => "lava-serial",
            Self::Server => "lava-server",
            Self::Ssh => "lava-ssh",
        }
    }

    /// Its command line; where a board is to be named, with the lab's names as completions.
    pub fn command(self) -> Command {
        with_boards(match self {
            Self::Lava => LavaArgs::command(),
            Self::Console => ConsoleArgs::command(),
            Self::Dispatcher => DispatcherArgs::command(),
            Self::Power => PowerArgs::command(),
            Self::Serial => SerialArgs::command(),
            Self::Server => ServerArgs::command(),
            Self::Ssh => SshArgs::command(),
        })
    }
}

/// Boards are what arguments are of which the help says BOARD.
fn with_boards(command: Command) -> Command {
    let console = command.get_name() == "console" || command.get_name() == "lava-console";
    let command = command.mut_args(|arg| {
        let names = arg.get_value_names().unwrap_or_default();
        let board = names.iter().any(|name| name.starts_with("BOARD"));
        if board || console && arg.is_positional() {
            return arg.add(ArgValueCompleter::new(boards)).value_hint(ValueHint::Other);
        }
        arg
    });
    command.mut_subcommands(with_boards)
}

/// The boards whose names begin so. Whatever is wrong with the lab, a shell is told of no names, quickly.
fn boards(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let names = || {
        let lab = Lab::locate(None, lab_of_command_line()).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, lab.boards()).await });
        // A name server that does not answer is not waited for.
        runtime.shutdown_background();
        Some(found.ok()?.ok()?.into_iter().map(|board| board.name.to_string()))
    };
    let fits = |name: &String| name.starts_with(&*begun);
    names().into_iter().flatten().filter(fits).map(CompletionCandidate::new).collect()
}

/// The inventory that the command line names which is to be completed.
fn lab_of_command_line() -> Option<PathBuf> {
    let words: Vec<_> = std::env::args_os().skip_while(|word| word != "--").collect();
    let at = words.iter().position(|word| word == "--lab");
    let behind = at.and_then(|at| words.get(at + 1)).map(PathBuf::from);
    behind.or_else(|| {
        words.iter().find_map(|word| Some(word.to_str()?.strip_prefix("--lab=")?.into()))
    })
}
