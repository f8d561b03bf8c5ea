//! `lava top`: the boards and their consoles on a terminal, live.
//!
//! [`run`] serves one person. It knows no standard input or output: a [`Terminal`] is a queue of bytes, a
//! writer, a size and what the terminal can do. [`Local`] makes one of the process's own; a channel of SSH
//! is another.
//!
//! Keys are decoded by [`crate::wire::keyboard`]; [`app`] has all state and decides; [`draw`] puts it into
//! cells, [`paint`] the cells that have changed into bytes; [`work`] talks to the daemons. What boards print
//! goes into an emulator, and only cells come out of it: no byte of a board gets to the person's terminal.

mod app;
mod draw;
mod layout;
mod local;
mod paint;
mod terminal;
mod work;

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

pub use self::local::{Local, facts};
pub use self::terminal::{Colours, Facts, INPUTS, Job, Output, Terminal};

use self::app::App;
use self::paint::Painter;
use self::work::{News, Worker};
use crate::client::lab::Lab;
use crate::config::top::TopConfig;
use crate::model::event::Mode;
use crate::model::{Failure, Kind};
use crate::wire::escape::{Escapes, Introducer, Keymap};
use crate::wire::keyboard::Decoder;

/// The time from one frame to the next while somebody types.
const QUICK: Duration = Duration::from_millis(20);
/// … while consoles that are looked at print.
const LIVE: Duration = Duration::from_millis(100);
/// … while only the list of the boards changes. Ages in it go on as often.
const SLOW: Duration = Duration::from_secs(1);
/// A lone Escape is one after so long; the rest of a sequence comes at once.
const ESCAPE: Duration = Duration::from_millis(100);
/// How long the begin of an escape, such as a lone `~`, is held before it goes to the board.
const ESCAPE_HOLD: Duration = Duration::from_secs(2);
/// So many news are taken in before keys are looked at again.
const NEWS: usize = 256;
/// How long goodbyes to the consoles' daemons may take, what was typed last included.
const GOODBYE: Duration = Duration::from_secs(3);

/// What is shown, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The boards: names, or patterns such as `rack*`; all of them when there are none.
    pub boards: Vec<String>,
    /// Only these consoles, beside each other.
    pub open: Option<Open>,
    pub config: TopConfig,
    pub escape: EscapeKeys,
}

/// Consoles that are opened at once.
#[derive(Debug, Clone)]
pub struct Open {
    pub boards: Vec<String>,
    pub mode: Mode,
    /// They are taken from whoever has them.
    pub force: bool,
}

/// The keys that make an escape where one types at a board, as with `lava-console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscapeKeys {
    keymap: Keymap,
    /// `None` where there are no escapes.
    introducer: Option<Introducer>,
}

impl EscapeKeys {
    /// Recognises them in what is typed at a board; `title` is in the prompt of commands.
    fn recognised(&self, title: &str) -> Escapes {
        Escapes::with(self.keymap, self.introducer.clone(), title)
    }
}

impl From<&Escapes> for EscapeKeys {
    fn from(escapes: &Escapes) -> Self {
        Self { keymap: escapes.keymap(), introducer: escapes.introducer().cloned() }
    }
}

impl Default for EscapeKeys {
    fn default() -> Self {
        Self { keymap: Keymap::Lava, introducer: Some(Keymap::Lava.introducer()) }
    }
}

/// Serves a person until they leave, or the input ends. Dropping the future is as good, but for the
/// terminal, which then stays as it is: [`Local`] restores it all the same, and so it is with an SSH client
/// whose channel is closed.
///
/// # Errors
/// [`Kind::Infra`] when the terminal takes no more.
pub async fn run(
    mut terminal: Terminal,
    lab: Lab,
    user: String,
    options: Options,
) -> Result<(), Failure> {
    let tasks = TaskTracker::new();
    let size = layout::bounded(*terminal.size.borrow_and_update());
    let mut facts = terminal.facts;
    facts.mouse &= options.config.mouse;
    let broken = |error: std::io::Error| Failure::from_error(Kind::Infra, &error);
    let painter = Painter::new(facts, size).map_err(broken)?;
    let power_every = options.config.power_every;
    let (worker, news) =
        Worker::start(lab, user.clone(), options.boards, power_every, tasks.clone());
    let mut app = App::new(options.config, options.escape, user, size);
    if let Some(open) = options.open {
        app.open_only(open);
    }
    let decoder = Decoder::default();
    let now = Instant::now();
    let mut screen = Screen { app, painter, facts, decoder, drawn: now, due: Some(now) };
    let ended = screen.serve(&mut terminal, worker, news).await;
    screen.painter.leave();
    let goodbye = screen.painter.take();
    let written = async {
        terminal.output.write_all(&goodbye).await?;
        terminal.output.flush().await
    };
    // A terminal that takes nothing any more is left as it is.
    let _ = tokio::time::timeout(GOODBYE, written).await;
    tasks.close();
    let _ = tokio::time::timeout(GOODBYE, tasks.wait()).await;
    ended.map_err(broken)
}

/// One person's screen.
struct Screen {
    app: App,
    painter: Painter,
    facts: Facts,
    decoder: Decoder,
    /// When the last frame was drawn.
    drawn: Instant,
    /// When the next one is to be.
    due: Option<Instant>,
}

impl Screen {
    async fn serve(
        &mut self,
        terminal: &mut Terminal,
        mut worker: Worker,
        mut news: tokio::sync::mpsc::Receiver<News>,
    ) -> std::io::Result<()> {
        let mut pending = Bytes::from(self.painter.take());
        // When a lone Escape is one, and when what may begin an escape is the board's.
        let (mut escape, mut held): (Option<Instant>, Option<Instant>) = (None, None);
        let mut flushing = false;
        while !self.app.wants.quit {
            let busy = !pending.is_empty() || flushing;
            let due = self.due.unwrap_or(self.drawn + SLOW);
            tokio::select! {
                biased;
                input = terminal.input.recv() => {
                    let Some(bytes) = input else { return Ok(()) };
                    let typed = self.decoder.feed(&bytes);
                    typed.into_iter().for_each(|typed| self.app.typed(typed));
                    escape = self.decoder.holds().then(|| Instant::now() + ESCAPE);
                    held = self.app.holds_escape().then(|| Instant::now() + ESCAPE_HOLD);
                    self.soon(QUICK);
                }
                () = sleep_until(escape.unwrap_or(due)), if escape.is_some() => {
                    escape = None;
                    let typed = self.decoder.release();
                    typed.into_iter().for_each(|typed| self.app.typed(typed));
                    self.soon(QUICK);
                }
                () = sleep_until(held.unwrap_or(due)), if held.is_some() => {
                    held = None;
                    self.app.release_escape();
                    self.soon(QUICK);
                }
                Ok(()) = terminal.size.changed() => {
                    let size = layout::bounded(*terminal.size.borrow_and_update());
                    self.painter.resize(size)?;
                    self.app.resize(size);
                    self.soon(QUICK);
                }
                Some(()) = asked(&mut terminal.job) => self.app.wants.suspend = true,
                written = put(&mut terminal.output, &pending), if busy => {
                    let written = written?;
                    if written == 0 && !pending.is_empty() {
                        return Ok(());
                    }
                    flushing = !pending.is_empty();
                    let _ = pending.split_to(written);
                }
                () = sleep_until(due), if !busy => {
                    pending = self.draw()?;
                }
                Some(first) = news.recv() => {
                    let more = std::iter::from_fn(|| news.try_recv().ok());
                    let mut live = false;
                    for news in std::iter::once(first).chain(more).take(NEWS) {
                        live |= self.app.news(news);
                    }
                    self.soon(if live { LIVE } else { SLOW });
                }
            }
            self.heed(terminal, &mut pending)?;
            for effect in self.app.effects() {
                worker.carry_out(effect);
            }
        }
        Ok(())
    }

    /// Has a frame drawn when the last one is so long ago.
    fn soon(&mut self, after: Duration) {
        let at = (self.drawn + after).max(Instant::now());
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn draw(&mut self) -> std::io::Result<Bytes> {
        self.app.arrange();
        let (app, facts) = (&self.app, &self.facts);
        self.painter.draw(|frame| draw::draw(frame, app, facts))?;
        (self.drawn, self.due) = (Instant::now(), None);
        Ok(self.painter.take().into())
    }

    /// What the person wants of the terminal.
    fn heed(&mut self, terminal: &mut Terminal, pending: &mut Bytes) -> std::io::Result<()> {
        let wants = std::mem::take(&mut self.app.wants);
        self.app.wants.quit = wants.quit;
        if wants.suspend {
            let stopped = match &mut terminal.job {
                Some(job) => (job.stop)().map_err(|error| error.to_string()),
                None => Err("there is no shell to go back to".into()),
            };
            if let Err(why) = stopped {
                self.app.complain(&why);
            }
            // What was not written yet belongs to a screen that is gone.
            pending.clear();
            self.painter.take();
            self.painter.enter()?;
        }
        if wants.redraw {
            self.painter.forget()?;
        }
        if wants.redraw || wants.suspend {
            self.soon(QUICK);
        }
        Ok(())
    }
}

/// Writes some of the bytes; flushes when there are none. Cancel safe.
async fn put(output: &mut Output, bytes: &[u8]) -> std::io::Result<usize> {
    match bytes {
        [] => output.flush().await.map(|()| 0),
        bytes => output.write(bytes).await,
    }
}

/// Somebody else has asked the process to stop. Waits for ever where nobody can. Cancel safe.
async fn asked(job: &mut Option<Job>) -> Option<()> {
    match job {
        Some(job) => job.asked.recv().await,
        None => std::future::pending().await,
    }
}
