//! A console that is looked at: what comes from it, and what is typed and asked for there.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Common, News, PaneNews};
use crate::client::attach::{From, Item, Options, SendError};
use crate::client::{Attachment, ConsoleRef, control};
use crate::front::cli::info_lines;
use crate::front::tui::app::emulator;
use crate::model::event::Mode;
use crate::model::{Failure, Kind};
use crate::wire::attach::{Answer, Verb};
use crate::wire::request::Nothing;

/// The pause before a console is tried again that could not be had at first.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a console that was left while something waited to be typed may take to be had.
const LATE: Duration = Duration::from_secs(2);
/// How many orders may wait for a console.
const ORDERS: usize = 4096;
/// So many bytes may wait for a board that takes none; more are dropped.
const MAX_UNTYPED: usize = 256 * 1024;

/// What is done at a console.
#[derive(Debug)]
enum Order {
    Type(Bytes),
    Ask(Verb),
}

/// Something about a console that is asked for beside the session.
#[derive(Debug)]
pub(in super::super) enum Matter {
    Info,
    /// Its port is closed, if it is not, and opened again.
    Reopen,
    /// Somebody else's session, or a user's, is let go.
    Kick(String),
}

/// Somebody at a console. Dropping it says goodbye, once what was typed has left.
#[derive(Debug)]
pub(super) struct PaneWork {
    orders: mpsc::Sender<Order>,
    /// How many bytes of orders wait.
    waiting: Arc<AtomicUsize>,
    closed: CancellationToken,
    /// The page that is being read, and the search that is under way: one of each.
    pub(super) reading: CancellationToken,
    pub(super) searching: CancellationToken,
}

/// How a console is attached to at first.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) console: ConsoleRef,
    pub(super) room: (u16, u16),
    pub(super) mode: Mode,
}

impl PaneWork {
    /// Attaches for the pane of a number, and stays until this is dropped.
    pub(super) fn begin(common: &Common, number: u64, way: Way) -> Self {
        let (orders, given) = mpsc::channel(ORDERS);
        let (closed, waiting) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let visit = Visit { common: common.clone(), number, waiting: waiting.clone() };
        // It ends by itself soon after it is told to, and not before it has said goodbye.
        common.tasks.spawn(Box::pin(visit.stay(way, given, closed.clone())));
        let (reading, searching) = (common.ending.child_token(), common.ending.child_token());
        Self { orders, waiting, closed, reading, searching }
    }

    /// Types bytes.
    ///
    /// # Errors
    /// Why they are dropped.
    pub(super) fn type_bytes(&self, bytes: Bytes) -> Result<(), &'static str> {
        let length = bytes.len();
        if self.waiting.load(Ordering::Relaxed) + length > MAX_UNTYPED {
            return Err(NOT_TAKEN);
        }
        self.waiting.fetch_add(length, Ordering::Relaxed);
        self.orders.try_send(Order::Type(bytes)).map_err(|_| {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            NOT_TAKEN
        })
    }

    /// Makes a request.
    ///
    /// # Errors
    /// As [`Self::type_bytes`].
    pub(super) fn ask(&self, verb: Verb) -> Result<(), &'static str> {
        self.orders.try_send(Order::Ask(verb)).map_err(|_| NOT_TAKEN)
    }
}

impl Drop for PaneWork {
    fn drop(&mut self) {
        self.closed.cancel();
        self.reading.cancel();
        self.searching.cancel();
    }
}

const NOT_TAKEN: &str = "the board takes nothing: what is typed is dropped";

struct Visit {
    common: Common,
    number: u64,
    waiting: Arc<AtomicUsize>,
}

impl Visit {
    async fn tell(&self, news: PaneNews) {
        self.common.tell(News::Pane(self.number, news)).await;
    }

    async fn stay(self, way: Way, mut orders: mpsc::Receiver<Order>, closed: CancellationToken) {
        let mut opening = pin!(self.open(way));
        let opened = tokio::select! {
            opened = &mut opening => opened,
            // What was typed meanwhile is still to arrive.
            () = closed.cancelled() => match self.waiting.load(Ordering::Relaxed) {
                0 => None,
                _ => timeout(LATE, opening).await.ok().flatten(),
            },
        };
        let Some(mut attachment) = opened else { return };
        self.tell(PaneNews::Attached(Box::new(attachment.hello().clone()))).await;
        // The request to type that was made last.
        let mut typing = None;
        loop {
            let order = tokio::select! {
                item = attachment.next() => {
                    self.item(&mut attachment, item, typing).await;
                    continue;
                }
                order = orders.recv() => order,
            };
            let done = match order {
                None => break,
                Some(Order::Type(bytes)) => {
                    self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    if !attachment.is_attached() {
                        Err("not attached: what is typed is dropped".to_owned())
                    } else if attachment.untyped() + bytes.len() > MAX_UNTYPED {
                        Err(NOT_TAKEN.to_owned())
                    } else {
                        attachment.type_later(bytes);
                        Ok(())
                    }
                }
                Some(Order::Ask(verb)) => {
                    let types = match verb {
                        Verb::Mode { mode } => mode != Mode::Spy,
                        Verb::Force(_) => true,
                        _ => false,
                    };
                    let asked = attachment.ask_first(verb);
                    typing = asked.as_ref().ok().copied().filter(|_| types).or(typing);
                    asked.map(|_| ()).map_err(|error| self.unasked(&error))
                }
            };
            if let Err(why) = done {
                self.tell(PaneNews::NotTaken(why)).await;
            }
        }
        attachment.detach().await;
    }

    async fn open(&self, Way { console, room, mode }: Way) -> Option<Attachment> {
        let options = Options {
            mode,
            from: From::Screen,
            user: Some(self.common.user.clone()),
            stay: false,
            size: Some(emulator::size(room)),
        };
        loop {
            match Attachment::open(console.clone(), options.clone()).await {
                Ok(attachment) => return Some(attachment),
                Err(failure) => {
                    // A wrong name will not be right later.
                    let over = failure.kind != Kind::Lab;
                    self.tell(PaneNews::Failed { failure, over }).await;
                    if over {
                        return None;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn item(&self, attachment: &mut Attachment, item: Item, typing: Option<u64>) {
        match item {
            Item::Answer { id, answer: Answer::Refused { reason } } if Some(id) == typing => {
                self.tell(PaneNews::MayNotType(reason)).await;
            }
            item => {
                // There would be a hole in it: what was typed just before may be lost.
                let lost = matches!(item, Item::Lost { .. }) && attachment.untyped() > 0;
                self.tell(PaneNews::Item(item)).await;
                if lost {
                    let untyped = attachment.untyped();
                    attachment.forget_typing();
                    let what = format!("{untyped} bytes that were typed are dropped");
                    self.tell(PaneNews::NotTaken(what)).await;
                }
            }
        }
    }

    fn unasked(&self, error: &SendError) -> String {
        match error {
            SendError::Away => "not attached: nothing can be asked for now".into(),
            error => error.to_string(),
        }
    }
}

/// Asks about a console, and tells what comes of it as lines.
pub(super) async fn matter(common: Common, number: u64, console: ConsoleRef, matter: Matter) {
    let user = common.user.as_str();
    let result: Result<Vec<String>, Failure> = async {
        match matter {
            Matter::Info => Ok(info_lines(Some(&console), &control::status(&console).await?)),
            Matter::Reopen => {
                // Why it may not be closed is also why it may not be opened.
                let _ = control::ask(&console, "close", user, &Nothing {}).await;
                control::ask(&console, "open", user, &Nothing {}).await.map(|_| Vec::new())
            }
            // Everybody is told of it by an event.
            Matter::Kick(whom) => control::kick(&console, user, &whom).await.map(|_| Vec::new()),
        }
    }
    .await;
    common.tell(News::Pane(number, PaneNews::Said(result))).await;
}
