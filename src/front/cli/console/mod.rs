//! `lava-console NAME`: a person, or a script, at a board's console.

mod action;
pub(in crate::front) mod command;
mod draw;
mod ending;
mod incoming;
pub(in crate::front) mod notice;
mod output;
mod own;
mod sending;
mod session;
mod streams;
mod suspend;
mod visit;
pub(super) mod words;

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use self::action::Target;
pub(in crate::front) use self::action::{info_lines, operate};
use self::session::Session;
pub(in crate::front) use self::streams::Streams;
pub(in crate::front) use self::visit::Visit;
use super::keys::KeyArgs;
use super::point::point;
use super::tui;
use super::user::user;
use crate::client::Attachment;
use crate::client::attach::{From, Options};
use crate::client::lab::Lab;
use crate::model::event::Mode;
use crate::model::{Failure, Kind, Point, units};
use crate::sys::terminal_size;

/// Attaches to a board's console by the board's name.
///
/// What is typed goes to the board, except for commands: ~$help and Enter lists them, ~$quit and
/// Enter leaves (--keymap and --escape change the keys). Standard output has the board's bytes as they are; when it is no terminal, our own
/// messages go to standard error.
///
/// Without a terminal, standard input is typed to the board and its ~$ commands are carried out;
/// after its end the program stays until the commands are done and, if anything was typed, until
/// the board has been quiet for --linger. For example: echo '~$hardreset' | lava-console panda01
/// A lost connection is made again; after the end of the input it is waited for 10 s and --linger.
///
/// Exit codes: 0 left, or all commands done; 1 a command failed; 2 unknown board or command, wrong
/// usage or inventory; 3 a daemon or a PDU is at fault; 4 the console or the outlet is somebody
/// else's; 130 ended by a signal. With a terminal, failed commands are only reported.
#[derive(Debug, Parser)]
#[command(name = "lava-console", version)]
pub struct ConsoleArgs {
    /// The board. Several are shown side by side.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Look boards up in this inventory. Else: $LAVA_SERVER, $LAVA_LAB, ~/.config/lava/lab.toml,
    /// /etc/lava/lab.toml, the daemons of this host.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    lab: Option<PathBuf>,
    /// Look boards up at this server.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Only read.
    #[arg(long, conflicts_with_all = ["exclusive", "force"])]
    spy: bool,
    /// Let nobody else type, unless somebody else already has the console.
    #[arg(long, conflicts_with = "force")]
    exclusive: bool,
    /// Take the console from whoever has it, as ~$force does.
    #[arg(long)]
    force: bool,
    /// Show what came from this point on, then go on live: an age such as 10m or 7d, a time such as
    /// 10:30, "2026-11-21 10:30" or 2026-11-21T10:30:00Z, a mark (reset: before the board's last
    /// reset; boot), or an offset.
    #[arg(long, value_name = "POINT", value_parser = point)]
    since: Option<Point>,
    /// Without a terminal: stay after the end of the input until the board has printed nothing for
    /// so long, at most ten times as long. [default: 1s if anything was typed to the board]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    linger: Option<Duration>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Runs the program; everything is already said when it returns.
pub fn run(args: ConsoleArgs) -> ExitCode {
    if args.names.len() > 1 {
        return tui::at_terminal(several(args));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::exit(Err(Failure::from_error(Kind::Infra, &error))),
    };
    let result = runtime.block_on(async {
        // Whatever the session waits for, dropping it restores the terminal.
        tokio::select! {
            failure = told_to_end() => Err(failure),
            result = attach(args) => result,
        }
    });
    // A read from a terminal, or a write to a stopped one, cannot be called back.
    runtime.shutdown_background();
    match result {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(kind)) => ExitCode::from(kind.exit_code()),
        Err(failure) => super::exit(Err(failure)),
    }
}

/// The consoles of several boards, side by side.
async fn several(args: ConsoleArgs) -> Result<(Lab, tui::Options), Failure> {
    let alone = args.exclusive || args.force || args.since.is_some() || args.linger.is_some();
    if alone {
        let what = "--exclusive, --force, --since and --linger are for one board";
        return Err(Failure::new(Kind::User, what));
    }
    let lab = Lab::locate(args.server.as_deref(), args.lab)?;
    let mode = if args.spy { Mode::Spy } else { Mode::Rw };
    tui::tiled(lab, args.names, mode).await
}

/// Attaches and stays; gives the kind of the first command that failed.
async fn attach(args: ConsoleArgs) -> Result<Option<Kind>, Failure> {
    // clap requires one.
    let name = args.names.first().map_or("", String::as_str);
    let escapes = args.keys.escapes(name)?;
    let lab = Lab::locate(args.server.as_deref(), args.lab)?;
    let board = lab.board(name).await?;
    let console = board.console.ok_or_else(|| {
        Failure::new(Kind::User, format!("board {} has no console {lab}", board.name))
    })?;
    let mode = match (args.spy, args.exclusive) {
        (true, _) => Mode::Spy,
        (_, true) => Mode::Exclusive,
        _ => Mode::Rw,
    };
    let size = Some(std::io::stdout()).filter(std::io::IsTerminal::is_terminal).and_then(screen);
    let from = match args.since {
        Some(point) => From::Past(point),
        None if size.is_some() => From::Screen,
        None => From::Head,
    };
    let redraw = from == From::Screen;
    let options = Options { mode, from, user: Some(user()), size, stay: false };
    let attachment = Attachment::open(console, options).await?;
    let streams = Streams::own().map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let target = Target { lab, board: board.name, user: user() };
    let mut session = Session::new(attachment, target, escapes, mode, streams, args.linger);
    if !redraw {
        session.greet(None);
    }
    if args.force {
        session.force();
    }
    session.run().await
}

/// The size to ask for: the terminal's, less the rows of the greeting.
fn screen(terminal: std::io::Stdout) -> Option<(NonZeroU16, NonZeroU16)> {
    let (rows, columns) = terminal_size(terminal)?;
    Some((NonZeroU16::new(rows.get().saturating_sub(draw::GREETING_ROWS))?, columns))
}

pub(super) async fn told_to_end() -> Failure {
    let handled = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
    let handled: Result<Vec<_>, _> = handled.into_iter().map(signal).collect();
    let [mut terminate, mut hangup, mut interrupt] = match handled.map(<[_; 3]>::try_from) {
        Ok(Ok(signals)) => signals,
        Ok(Err(_)) => return Failure::new(Kind::Bug, "a signal is missing"),
        Err(error) => return Failure::from_error(Kind::Infra, &error),
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
        _ = interrupt.recv() => "SIGINT",
    };
    Failure::new(Kind::Interrupted, format!("ended by {name}"))
}
