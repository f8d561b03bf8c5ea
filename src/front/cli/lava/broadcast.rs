//! `lava broadcast BOARD...`: one keyboard for several boards.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::super::console::command::{self, Command};
use super::super::console::words::Words;
use super::super::console::{notice, told_to_end};
use super::super::keys::KeyArgs;
use super::super::last_words;
use super::Context;
use super::crowd::{Crowd, News};
use super::several::Boards;
use crate::client::attach::{Item, Options};
use crate::model::event::Mode;
use crate::model::{Failure, Kind, Name, Right};
use crate::sys::RawMode;
use crate::wire::attach::{Answer, Verb};
use crate::wire::escape::{Escapes, Typed};

/// While a board has so many typed bytes to take, a script is read no further, and a person's keys are
/// dropped for that board.
const MOST_UNTYPED: usize = 64 * 1024;
/// What is said of such a board.
const OVERFULL: &str = "it has not taken what was typed before: what is typed is dropped";
/// Without a terminal: how long to wait, after everything has left, for what a daemon says of it.
const SETTLE: Duration = Duration::from_millis(300);

/// Types at several boards at once. What they print is not shown: lava watch does that.
///
/// Every key goes to all of them as it is typed; ~$quit and Enter leaves, ~$help lists what else there
/// is. Boards that cannot be typed at are named, with the reason; the others are typed at. Without a
/// terminal standard input is sent.
///
/// Exit codes: 0 every board was typed at; else that of the first that was not: 2 unknown, 3 away,
/// 4 somebody else's.
#[derive(Debug, Args)]
pub(super) struct BroadcastArgs {
    #[command(flatten)]
    boards: Boards,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: BroadcastArgs, ctx: &Context) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::super::exit(Err(Failure::from_error(Kind::Infra, &error))),
    };
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            // Dropping it restores the terminal.
            failure = told_to_end() => Err(failure),
            ended = broadcast(args, ctx) => ended,
        }
    });
    // A read from a terminal cannot be called back.
    runtime.shutdown_background();
    match ended {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(kind)) => ExitCode::from(kind.exit_code()),
        Err(failure) => last_words::exit(failure),
    }
}

/// Types until the input ends; gives the kind of the first board's failure, if there was any.
async fn broadcast(args: BroadcastArgs, ctx: &Context) -> Result<Option<Kind>, Failure> {
    let escapes = args.keys.escapes("broadcast")?;
    let consoles = args.boards.consoles(ctx, Right::Write).await?;
    let options =
        Options { mode: Mode::Rw, user: Some(ctx.user().to_owned()), ..Options::default() };
    let interactive = std::io::stdin().is_terminal();
    let raw = interactive.then(|| RawMode::enter(std::io::stdin())).transpose();
    let _raw = raw.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let names: Vec<&str> = consoles.iter().map(|(name, _)| name.as_str()).collect();
    let quit = Words::of(&escapes).key("quit").map(|keys| format!(" ({keys} to exit)"));
    let quit = quit.filter(|_| interactive).unwrap_or_default();
    let mut broadcast = Broadcast {
        crowd: Crowd::new(consoles.clone(), &options, false),
        escapes,
        interactive,
        told: BTreeMap::new(),
        failed: None,
        asked: BTreeMap::new(),
        at_edge: true,
    };
    broadcast.say(&format!("[typing at {}{quit}]", names.join(", ")));
    broadcast.run().await?;
    let Broadcast { crowd, failed, .. } = broadcast;
    crowd.detach().await;
    Ok(failed)
}

struct Broadcast {
    crowd: Crowd,
    escapes: Escapes,
    interactive: bool,
    /// What was said last of each board; said once.
    told: BTreeMap<Name, String>,
    failed: Option<Kind>,
    /// The requests that are not answered yet, and what they are.
    asked: BTreeMap<(usize, u64), &'static str>,
    /// Whether a line of ours would begin at the left edge.
    at_edge: bool,
}

impl Broadcast {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut stdin = tokio::io::stdin();
        let mut keys = [0; 4096];
        let mut ended: Option<Instant> = None;
        let mut quit = false;
        loop {
            // A script's input waits until it is known who gets it, and for the slowest. Among a person's keys
            // may be what ends all this.
            let waits = self.crowd.is_opening() || self.untyped() >= MOST_UNTYPED;
            let reads = ended.is_none() && (self.interactive || !waits);
            if let Some(at) = ended
                && self.untyped() == 0
                && at <= Instant::now()
            {
                return Ok(());
            }
            if quit || self.crowd.is_out() {
                return Ok(());
            }
            tokio::select! {
                (at, news) = self.crowd.next() => {
                    self.news(at, news);
                    // What is said of the last bytes comes soon after them.
                    ended = ended.map(|at| at.max(Instant::now() + SETTLE));
                }
                read = stdin.read(&mut keys), if reads => match read {
                    Ok(0) | Err(_) => {
                        let typed = self.escapes.finish();
                        quit = self.take(typed);
                        ended = Some(Instant::now() + SETTLE);
                    }
                    Ok(length) => {
                        let typed = self.escapes.feed(&keys[..length]);
                        quit = self.take(typed);
                    }
                },
                () = tokio::time::sleep_until(ended.unwrap_or_else(Instant::now)),
                    if ended.is_some() && self.untyped() == 0 => {}
            }
        }
    }

    /// The most that one of them has still to take.
    fn untyped(&mut self) -> usize {
        let untyped = self.crowd.members().filter_map(|member| member.attachment());
        untyped.map(|attachment| attachment.untyped()).max().unwrap_or(0)
    }

    fn news(&mut self, at: usize, news: News) {
        let board = self.crowd.member(at).board.clone();
        match news {
            News::Attached => {
                let attachment = self.crowd.member(at).attachment();
                let hello = attachment.map(|attachment| attachment.hello().clone());
                if let Some(holder) = hello.and_then(|hello| hello.holder) {
                    let who = notice::user(&holder.user);
                    self.tell(&board, Kind::Refused, format!("read-only: {who} has the console"));
                }
            }
            News::Failed(failure) => self.tell(&board, failure.kind, failure.message),
            News::Item(Item::Mode { mode: Mode::Spy, holder, .. }) => {
                let holder = holder.map(|holder| notice::user(&holder.user));
                let holder = holder.unwrap_or_else(|| "nobody".into());
                self.tell(&board, Kind::Refused, format!("read-only: {holder} has the console"));
            }
            News::Item(Item::Mode { .. }) => {
                self.told.remove(&board);
                self.say(&format!("[{board}: you may type]"));
            }
            News::Item(Item::Answer { id: 0, answer: Answer::Refused { reason } }) => {
                self.tell(&board, Kind::Refused, reason);
            }
            News::Item(Item::Answer { id, answer }) => {
                let Some(what) = self.asked.remove(&(at, id)) else { return };
                if let Answer::Refused { reason } = answer {
                    self.failed.get_or_insert(Kind::Failed);
                    self.say(&format!("[{board}: {what}: {reason}]"));
                }
            }
            News::Item(Item::Lost { reason }) => {
                self.tell(&board, Kind::Lab, format!("lost: {reason}; reconnecting"));
                if let Some(attachment) = self.crowd.member(at).attachment() {
                    attachment.forget_typing();
                }
            }
            News::Item(Item::Resumed(_)) => {
                self.told.remove(&board);
                self.say(&format!("[{board}: back]"));
            }
            News::Item(Item::Ended { reason }) => self.tell(&board, Kind::Refused, reason),
            News::Item(_) | News::Typed => {}
        }
    }

    /// Types and carries out; true when it is to end.
    fn take(&mut self, typed: impl IntoIterator<Item = Typed>) -> bool {
        for typed in typed {
            match typed {
                Typed::Echo(bytes) => self.show(&String::from_utf8_lossy(&bytes)),
                Typed::Board(bytes) => {
                    self.echo(&bytes);
                    self.type_at_all(&bytes.into());
                }
                Typed::Command(line) => match command::parse(&line) {
                    Ok(Some(Command::Quit)) => return true,
                    Ok(Some(command)) => self.command(command),
                    Ok(None) => {}
                    Err(message) => {
                        let prefix = Words::of(&self.escapes).prefix();
                        self.fail(Kind::User, &message.replace("~$", &prefix));
                    }
                },
            }
        }
        false
    }

    fn type_at_all(&mut self, bytes: &Bytes) {
        let mut overfull = Vec::new();
        for member in self.crowd.members() {
            let board = member.board.clone();
            let Some(attachment) = member.attachment() else { continue };
            if !attachment.is_attached() || attachment.mode() == Mode::Spy {
                continue;
            }
            let untyped = attachment.untyped();
            // Once something is missing there, nothing is typed behind it until all before it is.
            let told = self.told.get(&board).is_some_and(|told| told == OVERFULL);
            if self.interactive && (told && untyped > 0 || untyped >= MOST_UNTYPED) {
                overfull.push(board);
                continue;
            }
            attachment.type_later(bytes.clone());
            if told {
                self.told.remove(&board);
            }
        }
        for board in overfull {
            self.tell(&board, Kind::Lab, OVERFULL.into());
        }
    }

    fn command(&mut self, command: Command) {
        let (what, verb) = match command {
            Command::Break(asked) => ("break", Verb::Break(asked)),
            Command::Message(text) => ("msg", Verb::Message(text.into())),
            Command::Note(text) => ("note", Verb::Note(text.into())),
            Command::Force => ("force", Verb::Force(Default::default())),
            Command::Release => ("release", Verb::Release(Default::default())),
            Command::Close => ("close", Verb::Close),
            Command::Open => ("open", Verb::Open),
            Command::Mode(mode) => ("mode", Verb::Mode { mode }),
            Command::Line(set) => ("line", Verb::Line(set)),
            Command::Who => return self.who(),
            Command::Help => {
                let words = "break, close, dtr, exclusive, force, help, line, msg, note, open, \
                             quit, release, rts, rw, spy, who";
                return self.say(&format!("[for all boards: {words}]"));
            }
            _ => return self.fail(Kind::User, "[that is for one board: lava-console has it]"),
        };
        let mut lost = Vec::new();
        for (at, member) in self.crowd.members().enumerate() {
            let board = member.board.clone();
            let Some(attachment) = member.attachment() else { continue };
            match attachment.ask_later(verb.clone()) {
                Ok(id) => {
                    self.asked.insert((at, id), what);
                }
                Err(error) => lost.push((board, error.to_string())),
            }
        }
        for (board, error) in lost {
            self.fail(Kind::Lab, &format!("[{board}: {what}: {error}]"));
        }
    }

    /// Which boards are typed at.
    fn who(&mut self) {
        let lines: Vec<String> = self
            .crowd
            .members()
            .map(|member| {
                let board = member.board.clone();
                match member.attachment() {
                    Some(attachment) if attachment.is_attached() => {
                        format!("[{board}: {}]", attachment.mode())
                    }
                    Some(_) => format!("[{board}: away]"),
                    None => format!("[{board}: not attached]"),
                }
            })
            .collect();
        lines.iter().for_each(|line| self.say(line));
    }

    /// Something is wrong with a board; said once until something else is.
    fn tell(&mut self, board: &Name, kind: Kind, what: String) {
        self.failed.get_or_insert(kind);
        if self.told.get(board) != Some(&what) {
            self.say(&format!("[{board}: {what}]"));
            self.told.insert(board.clone(), what);
        }
    }

    fn fail(&mut self, kind: Kind, message: &str) {
        self.failed.get_or_insert(kind);
        self.say(message);
    }

    /// What was typed, so that it is seen: nobody else echoes it.
    fn echo(&mut self, bytes: &[u8]) {
        if !self.interactive {
            return;
        }
        let mut text = String::new();
        for c in String::from_utf8_lossy(bytes).chars() {
            match c {
                '\r' | '\n' => text.push('\n'),
                '\x08' | '\x7f' => text.push_str("\x08 \x08"),
                c if c.is_ascii_control() => {
                    text.push('^');
                    text.push(char::from(c as u8 | 0x40));
                }
                c => text.push(c),
            }
        }
        self.show(&text);
    }

    /// A line of our own, on a line of its own.
    fn say(&mut self, line: &str) {
        let begin = if self.at_edge { "" } else { "\n" };
        self.show(&format!("{begin}{line}\n"));
    }

    fn show(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n");
        self.at_edge = text.ends_with('\n');
        let shown = if self.interactive { text.replace('\n', "\r\n") } else { text };
        // Nobody to tell that standard error is closed.
        let _ = std::io::stderr().write_all(shown.as_bytes());
    }
}
