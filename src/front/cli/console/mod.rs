//! `lava-console NAME`: a person, or a script, at a board's console.

mod action;
pub(in crate::front) mod command;
mod dialogue;
mod doing;
mod draw;
mod ending;
mod incoming;
mod json;
pub(in crate::front) mod notice;
mod output;
mod own;
mod record;
mod sending;
mod session;
mod stamps;
mod steps;
mod streams;
mod suspend;
mod turns;
mod typed;
mod visit;
pub(in crate::front) mod words;

use std::io::IsTerminal as _;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use self::action::Target;
pub(in crate::front) use self::action::{info_lines, operate};
use self::dialogue::{Dialogue, Manner};
use self::output::Form;
use self::record::Record;
use self::session::{Opening, Session};
pub(in crate::front) use self::streams::Streams;
use self::turns::{Turn, Turns};
pub(in crate::front) use self::visit::Visit;
use super::keys::KeyArgs;
use super::lab_args::LabArgs;
use super::last_words;
use super::point::point;
use super::tui;
use super::user::user;
use crate::client::attach::{From, Options};
use crate::client::lab::Lab;
use crate::client::{Attachment, ConsoleRef, history};
use crate::config::KeyConfig;
use crate::model::event::Mode;
use crate::model::{Failure, Kind, Point, units};
use crate::sys::terminal_size;
use crate::wire::exec::Shell;
use crate::wire::expect::Expected;
use crate::wire::json_text::escaped;

/// How long each thing that is waited for may take, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Attaches to a board's console by the board's name.
///
/// What is typed goes to the board, except for commands: ~$help and Enter lists them, ~$quit and
/// Enter leaves (--keymap and --escape change the keys). Standard output has the board's bytes: on a
/// terminal, what shows something (see --raw-terminal), else all of them as they are; then our own
/// messages go to standard error.
///
/// Without a terminal, standard input is typed to the board and its ~$ commands are carried out;
/// after its end the program stays until the commands are done and, if anything was typed, until
/// the board has been quiet for --linger. For example: echo '~$hardreset' | lava-console panda01
/// A lost connection is made again; after the end of the input it is waited for 10 s and --linger.
///
/// With --send-line, --expect, --exec and the others of their kind, standard input is not read: they are
/// done in turn, and the program ends at the first that fails. A daemon that is away meanwhile is waited for for
/// 10 s and --linger, and no longer than --timeout. For example, from reset to a shell:
/// lava-console panda01 --do hardreset --expect 'login: ' --send-line root --expect '# ' --exec 'uname -r'
///
/// Exit codes: 0 left, or everything done; 1 a command failed, or what was waited for has not come in time;
/// 2 unknown board or command, wrong usage or inventory; 3 a daemon, a PDU or the console's port is
/// at fault; 4 the console or the outlet is somebody else's; 130 ended by a signal. With --exec, the exit
/// status of the first command on the board that failed. With a terminal, failed commands are only reported.
#[derive(Debug, Parser)]
#[command(name = "lava-console", version)]
pub struct ConsoleArgs {
    /// The board. Several are shown side by side.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
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
    /// reset; boot), or an offset. --expect looks at it, too.
    #[arg(long, value_name = "POINT", value_parser = point)]
    since: Option<Point>,
    /// Put in front of each line when it came.
    #[arg(long)]
    timestamps: bool,
    /// Append what the board prints to this file, byte by byte.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Put the times in front of the lines in that file, too.
    #[arg(long, requires = "log")]
    log_timestamps: bool,
    /// Print lines of JSON: what the board prints (output), events, our messages, what came of --expect
    /// and --exec, and the exit code (result) at the end.
    #[arg(long)]
    json: bool,
    /// Tell nothing of our own, and of what others do, but what goes wrong: for programs at a terminal.
    #[arg(long, short)]
    quiet: bool,
    /// Let a terminal have everything that the board prints, also what makes it answer, sets its
    /// title or clipboard, programs its keys, or prints. [default: raw_terminal in console.toml]
    #[arg(long)]
    raw_terminal: bool,
    /// Without a terminal: stay after the end of the input until the board has printed nothing for
    /// so long, at most ten times as long. [default: 1s if anything was typed to the board]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    linger: Option<Duration>,
    #[command(flatten)]
    turns: Turns,
    /// How long each --expect and each --exec may take. [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// The prompt that --exec types at, a regular expression for the end of a line.
    /// [default: what ends in #, $ or > and a blank]
    #[arg(long, value_name = "RE", value_parser = Expected::ending, requires = "exec")]
    prompt: Option<Expected>,
    /// The shell that --exec types at: posix; uboot, and what does as it does; plain, which tells no
    /// status. [default: uboot behind a prompt such as =>, else posix]
    #[arg(long, value_name = "SHELL", value_parser = shell, requires = "exec")]
    shell: Option<Shell>,
    /// Go on at the console when all of that is done, as is the rule behind --send alone.
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

fn shell(text: &str) -> Result<Shell, String> {
    match text {
        "posix" => Ok(Shell::Posix),
        "uboot" => Ok(Shell::UBoot),
        "plain" => Ok(Shell::Plain),
        _ => Err(format!("shell {text:?} is none of posix, uboot and plain")),
    }
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
    let json = args.json;
    let result = runtime.block_on(async {
        // Whatever the session waits for, dropping it restores the terminal.
        tokio::select! {
            biased;
            failure = told_to_end() => Err(failure),
            result = attach(args) => result,
        }
    });
    // A read from a terminal, or a write to a stopped one, cannot be called back.
    runtime.shutdown_background();
    if json && let Err(failure) = &result {
        let (code, error) = (failure.kind.exit_code(), failure.to_string());
        let result = json!({"type": "result", "code": code, "error": error}).to_string();
        last_words::print((escaped(&result) + "\n").into_bytes());
    }
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => last_words::exit(failure),
    }
}

impl ConsoleArgs {
    /// The mode to attach in.
    fn mode(&self) -> Mode {
        match (self.spy, self.exclusive) {
            (true, _) => Mode::Spy,
            (_, true) => Mode::Exclusive,
            _ => Mode::Rw,
        }
    }
}

/// The consoles of several boards, side by side.
async fn several(args: ConsoleArgs) -> Result<(Lab, tui::Options), Failure> {
    // Every option is for it, or refused.
    let mode = args.mode();
    let ConsoleArgs {
        names,
        lab,
        spy: _,
        exclusive: _,
        force,
        since,
        timestamps,
        log,
        log_timestamps,
        json,
        quiet,
        raw_terminal,
        linger,
        turns,
        timeout,
        prompt,
        shell,
        stay,
        keys,
    } = args;
    let mut others = vec![
        ("--since", since.is_some()),
        ("--timestamps", timestamps),
        ("--log", log.is_some()),
        ("--log-timestamps", log_timestamps),
        ("--json", json),
        ("--quiet", quiet),
        ("--raw-terminal", raw_terminal),
        ("--linger", linger.is_some()),
        ("what is done in turn", !turns.0.is_empty()),
        ("--timeout", timeout.is_some()),
        ("--prompt", prompt.is_some()),
        ("--shell", shell.is_some()),
        ("--stay", stay),
    ];
    others.retain(|(_, given)| *given);
    if !others.is_empty() {
        let others: Vec<&str> = others.into_iter().map(|(name, _)| name).collect();
        let what = format!(
            "several boards are shown side by side: of the options only --spy, --exclusive, --force, \
             --escape and --keymap are for that, not {}",
            others.join(", ")
        );
        return Err(Failure::new(Kind::User, what).hint(
            "lava watch prints what several print; lava send and lava broadcast type at them",
        ));
    }
    let escape = (&keys.escapes("")?).into();
    let lab = lab.here()?;
    tui::tiled(lab, tui::Open { boards: names, mode, force }, escape).await
}

/// Attaches and stays; gives the exit code.
async fn attach(args: ConsoleArgs) -> Result<u8, Failure> {
    // clap requires one.
    let name = args.names.first().map_or("", String::as_str);
    let config = KeyConfig::find()?;
    let raw_terminal = args.raw_terminal || config.raw_terminal.unwrap_or_default();
    let escapes = args.keys.escapes_by(config, name)?;
    let record = args.log.as_deref().map(|path| Record::open(path, args.log_timestamps));
    let record = record.transpose()?;
    let lab = args.lab.here()?;
    let (board, console) = lab.console(name).await?;
    let mode = args.mode();
    let in_turn = !args.turns.0.is_empty();
    let plain = in_turn || args.json || args.timestamps;
    let size = Some(std::io::stdout()).filter(|stdout| !plain && stdout.is_terminal());
    let size = size.and_then(screen);
    let from = match args.since {
        Some(point) => From::Past(point),
        // A prompt that is there already is one.
        None if matches!(args.turns.0.front(), Some(Turn::Exec(_))) => last_line(&console).await?,
        None if size.is_some() => From::Screen,
        None => From::Head,
    };
    let redraw = from == From::Screen;
    let user = user();
    let options = Options { mode, from, user: Some(user.clone()), size, stay: false };
    let attachment = Attachment::open(console, options).await?;
    let hello = attachment.hello();
    // Of the past, what was asked for is shown.
    let shown = if args.since.is_some() { hello.from } else { hello.head };
    let record = record.map(|record| record.from(shown));
    let dialogue = in_turn.then(|| {
        let manner = Manner {
            timeout: args.timeout.unwrap_or(TIMEOUT),
            prompt: args.prompt.clone(),
            shell: args.shell,
        };
        let stay = args.stay || args.turns.go_on();
        let heard = hello.from..hello.head;
        Dialogue::new(args.turns.clone(), manner, stay, heard, shown)
    });
    let at_terminal = std::io::stdin().is_terminal();
    let streams = Streams::own(!in_turn && !args.json);
    let streams = streams.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let mut session = Session::new(Opening {
        attachment,
        target: Target { lab, board, user },
        escapes,
        wanted: mode,
        linger: args.linger,
        form: Form {
            raw_terminal,
            timestamps: args.timestamps,
            aside: in_turn,
            quiet: args.quiet,
            json: args.json,
        },
        // A program that reads JSON has no keys to type; it may be told what to do by a pipe.
        reads: !in_turn && (streams.interactive || !at_terminal),
        streams,
        dialogue,
        record,
    });
    if !redraw {
        session.greet(None);
    }
    if args.force {
        session.force();
    }
    session.run().await
}

/// From the begin of the last line that the board has printed.
async fn last_line(console: &ConsoleRef) -> Result<From, Failure> {
    let frames = history::last_lines(console, 1, 0, None).await?;
    let first = frames.first().map(|frame| From::Past(Point::Offset(frame.offset)));
    Ok(first.unwrap_or(From::Head))
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
