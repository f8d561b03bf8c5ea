//! Several consoles that one program is attached to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::client::attach::{Item, Options};
use crate::client::{Attachment, ConsoleRef};
use crate::model::{Failure, Kind, Name};

/// The pause before a console that cannot be attached to is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Attached consoles, each with the name of its board.
pub(super) struct Crowd {
    members: Vec<Member>,
    /// Who is looked at first: nobody is heard last for ever.
    first: usize,
    /// Consoles that cannot be attached to are tried again.
    retries: bool,
}

pub(super) struct Member {
    pub(super) board: Name,
    console: ConsoleRef,
    options: Options,
    state: State,
    /// It has been told that it cannot be attached to.
    told: bool,
}

enum State {
    Attached(Box<Attachment>),
    Opening(Pin<Box<dyn Future<Output = Result<Attachment, Failure>> + Send>>),
    /// Given up.
    Out,
}

/// What comes from one of them.
#[derive(Debug)]
pub(super) enum News {
    /// It is attached to now.
    Attached,
    Item(Item),
    /// All has left that waited to be typed there.
    Typed,
    /// It cannot be attached to; told once.
    Failed(Failure),
}

impl Crowd {
    /// Begins to attach to all of them.
    pub(super) fn new(consoles: Vec<(Name, ConsoleRef)>, options: &Options, retries: bool) -> Self {
        let member = |(board, console): (Name, ConsoleRef)| {
            let state = open(&console, options, Duration::ZERO);
            Member { board, console, options: options.clone(), state, told: false }
        };
        Self { members: consoles.into_iter().map(member).collect(), first: 0, retries }
    }

    pub(super) fn members(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut()
    }

    pub(super) fn member(&mut self, at: usize) -> &mut Member {
        &mut self.members[at]
    }

    /// Whether none of them is attached to, nor going to be.
    pub(super) fn is_out(&self) -> bool {
        self.members.iter().all(|member| matches!(member.state, State::Out))
    }

    /// Whether one of them is still to be attached to for the first time.
    pub(super) fn is_opening(&self) -> bool {
        self.members.iter().any(|member| matches!(member.state, State::Opening(_)) && !member.told)
    }

    /// What comes next, and whose it is. Waits for ever when none is left. Cancel safe.
    pub(super) async fn next(&mut self) -> (usize, News) {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(usize, News)> {
        let count = self.members.len();
        for step in 0..count {
            let at = (self.first + step) % count;
            if let Poll::Ready(news) = self.members[at].poll_next(cx, self.retries) {
                self.first = at + 1;
                return Poll::Ready((at, news));
            }
        }
        Poll::Pending
    }

    /// Leaves all of them, after their daemons have taken everything.
    pub(super) async fn detach(self) {
        let attached = self.members.into_iter().filter_map(|member| match member.state {
            State::Attached(attachment) => Some(attachment.detach()),
            State::Opening(_) | State::Out => None,
        });
        futures_util::future::join_all(attached).await;
    }
}

impl Member {
    /// `None` while it is not attached to.
    pub(super) fn attachment(&mut self) -> Option<&mut Attachment> {
        match &mut self.state {
            State::Attached(attachment) => Some(attachment),
            State::Opening(_) | State::Out => None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, retries: bool) -> Poll<News> {
        loop {
            match &mut self.state {
                State::Attached(attachment) => {
                    let typing = attachment.untyped() > 0;
                    let item = match attachment.poll_next(cx) {
                        Poll::Ready(item) => item,
                        Poll::Pending if typing && attachment.untyped() == 0 => {
                            return Poll::Ready(News::Typed);
                        }
                        Poll::Pending => return Poll::Pending,
                    };
                    if let Item::Ended { .. } = item {
                        self.state = State::Out;
                    }
                    return Poll::Ready(News::Item(item));
                }
                State::Opening(opening) => match std::task::ready!(opening.as_mut().poll(cx)) {
                    Ok(attachment) => {
                        self.state = State::Attached(Box::new(attachment));
                        return Poll::Ready(News::Attached);
                    }
                    Err(failure) => {
                        // A wrong name will not be right later.
                        let again = retries && failure.kind == Kind::Lab;
                        self.state = match again {
                            true => open(&self.console, &self.options, PAUSE),
                            false => State::Out,
                        };
                        if !std::mem::replace(&mut self.told, true) {
                            return Poll::Ready(News::Failed(failure));
                        }
                    }
                },
                State::Out => return Poll::Pending,
            }
        }
    }
}

fn open(console: &ConsoleRef, options: &Options, pause: Duration) -> State {
    let (console, options) = (console.clone(), options.clone());
    State::Opening(Box::pin(async move {
        tokio::time::sleep(pause).await;
        Attachment::open(console, options).await
    }))
}
