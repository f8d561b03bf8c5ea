//! `lava watch BOARD...`: many consoles at once in one terminal.

mod lines;

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use self::lines::{Line, Lines};
use super::super::console::notice;
use super::Context;
use super::context::Stop;
use super::crowd::{Crowd, News};
use super::several::Boards;
use crate::client::attach::{Item, Options};
use crate::model::event::Mode;
use crate::model::{Event, Failure, Kind, Name, Right, What, units};
use crate::wire::attach::PortState;

/// After so long without more of it, a begun line such as a prompt is shown.
const QUIET: Duration = Duration::from_millis(500);
/// The colours of the boards' names, in turn: cyan, green, yellow, magenta, blue, red.
const COLOURS: [u8; 6] = [36, 32, 33, 35, 34, 31];

/// Shows what several boards print, each line behind the name of its board.
///
/// "panda01 | text" is a line, "panda01 : text" goes on with one that was shown before its end, and
/// "panda01 * text" is something that happened: a lost port, a daemon that is away. What a board prints
/// to move the cursor is left out. A console that is away is attached to again. Ctrl-C ends it.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    boards: Boards,
    /// The time of each line, in UTC.
    #[arg(long, short)]
    timestamps: bool,
    /// Also who comes and goes, breaks, power, jobs.
    #[arg(long)]
    events: bool,
    /// A line of JSON for each.
    #[arg(long)]
    json: bool,
}

/// A line of output.
#[derive(Debug, Serialize)]
struct Row<'a> {
    board: &'a Name,
    time_us: u64,
    /// Absent for what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// It goes on where the last line of this board stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<bool>,
    /// What happened, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
}

/// One of the boards.
struct Watched {
    board: Name,
    lines: Lines,
    /// When the last byte came, by the console and by our clock.
    time_us: u64,
    heard: Instant,
}

struct Watch<'a> {
    ctx: &'a Context,
    boards: Vec<Watched>,
    width: usize,
    colours: bool,
    args: WatchArgs,
}

pub(super) async fn run(args: WatchArgs, ctx: &Context) -> Result<(), Failure> {
    let consoles = args.boards.consoles(ctx, Right::Spy).await?;
    let watched = |board: &Name| Watched {
        board: board.clone(),
        lines: Lines::default(),
        time_us: 0,
        heard: Instant::now(),
    };
    let boards: Vec<Watched> = consoles.iter().map(|(board, _)| watched(board)).collect();
    let width = boards.iter().map(|watched| watched.board.as_str().len()).max().unwrap_or(0);
    let options =
        Options { mode: Mode::Spy, user: Some(ctx.user().to_owned()), ..Options::default() };
    let mut crowd = Crowd::new(consoles, &options, true);
    let colours = ctx.screen().colours && !args.json;
    let mut watch = Watch { ctx, boards, width, colours, args };
    let mut failures: Vec<Failure> = Vec::new();
    loop {
        let quiet = watch.quiet_at();
        let shown = tokio::select! {
            (at, news) = crowd.next() => {
                if let News::Failed(failure) = &news {
                    let copy = Failure::new(failure.kind, failure.message.clone());
                    failures.push(Failure { hint: failure.hint.clone(), ..copy });
                }
                let shown = watch.news(at, news).await;
                // When none at all can be had, that is an answer; later ones are waited for.
                if failures.len() == watch.boards.len() || crowd.is_out() {
                    crowd.detach().await;
                    return Err(failures.into_iter().next().unwrap_or_else(|| {
                        Failure::new(Kind::Refused, "nothing is left to watch")
                    }));
                }
                shown
            }
            () = sleep_until(quiet.unwrap_or_else(Instant::now)), if quiet.is_some() => {
                watch.show_begun().await
            }
        };
        if let Err(stop) = shown {
            crowd.detach().await;
            return stop.outcome();
        }
    }
}

impl Watch<'_> {
    async fn news(&mut self, at: usize, news: News) -> Result<(), Stop> {
        match news {
            News::Attached
            | News::Typed
            | News::Item(Item::Screen(_) | Item::Mode { .. } | Item::Answer { .. }) => Ok(()),
            News::Failed(failure) => {
                let line = format!("[{}; retrying]", failure.message);
                self.happened(at, units::now_us(), &line).await
            }
            News::Item(Item::Bytes(frame)) => {
                let watched = &mut self.boards[at];
                (watched.time_us, watched.heard) = (frame.time_us, Instant::now());
                let lines = watched.lines.feed(&frame.bytes);
                for line in &lines {
                    self.line(at, line).await?;
                }
                Ok(())
            }
            News::Item(Item::Event(event)) => self.event(at, &event).await,
            News::Item(item) => match said(&item) {
                Some(line) => self.happened(at, units::now_us(), &line).await,
                None => Ok(()),
            },
        }
    }

    async fn event(&mut self, at: usize, event: &Event) -> Result<(), Stop> {
        let port = matches!(event.what, What::PortOpen { .. } | What::PortLost { .. });
        if !port && !self.args.events {
            return Ok(());
        }
        match notice::event(&self.boards[at].board, event) {
            Some(line) => self.happened(at, event.time_us, &line).await,
            None => Ok(()),
        }
    }

    /// When a begun line is to be shown.
    fn quiet_at(&self) -> Option<Instant> {
        let waiting = self.boards.iter().filter(|watched| watched.lines.waits());
        waiting.map(|watched| watched.heard + QUIET).min()
    }

    async fn show_begun(&mut self) -> Result<(), Stop> {
        for at in 0..self.boards.len() {
            let watched = &mut self.boards[at];
            if watched.heard + QUIET <= Instant::now()
                && let Some(line) = watched.lines.quiet()
            {
                self.line(at, &line).await?;
            }
        }
        Ok(())
    }

    async fn line(&self, at: usize, line: &Line) -> Result<(), Stop> {
        let Watched { board, time_us, .. } = &self.boards[at];
        if self.args.json {
            let (text, continues) = (Some(line.text.as_str()), Some(line.continues));
            let row = Row { board, time_us: *time_us, text, continues, event: None };
            return self.ctx.out_json(&row).await;
        }
        self.print(at, *time_us, if line.continues { ':' } else { '|' }, &line.text).await
    }

    async fn happened(&self, at: usize, time_us: u64, what: &str) -> Result<(), Stop> {
        if self.args.json {
            let board = &self.boards[at].board;
            let row = Row { board, time_us, text: None, continues: None, event: Some(what) };
            return self.ctx.out_json(&row).await;
        }
        self.print(at, time_us, '*', what).await
    }

    async fn print(&self, at: usize, time_us: u64, mark: char, text: &str) -> Result<(), Stop> {
        let (board, width) = (&self.boards[at].board, self.width);
        let time =
            if self.args.timestamps { units::time_text(time_us) + " " } else { String::new() };
        let (on, off) = match self.colours {
            true => (format!("\x1b[{}m", COLOURS[at % COLOURS.len()]), "\x1b[m"),
            false => (String::new(), ""),
        };
        self.ctx.out(format!("{time}{on}{board:width$}{off} {mark} {text}\n").as_bytes()).await
    }
}

/// What is said of an item that is no output of the board.
fn said(item: &Item) -> Option<String> {
    Some(match item {
        Item::Lost { reason } => format!("[lost: {reason}; reconnecting]"),
        Item::Resumed(hello) => match &hello.port {
            PortState::Closed { reason } => format!("[back; the port is not open: {reason}]"),
            PortState::Open | PortState::Starting => "[back]".into(),
        },
        Item::Gap { from, to } => format!("[{} bytes are not held any more]", to - from),
        Item::Renumbered { .. } => {
            "[the console's record is a new one; something may be missing]".into()
        }
        Item::Notice(text) => format!("[{text}]"),
        Item::Ended { reason } => format!("[{reason}]"),
        _ => return None,
    })
}
