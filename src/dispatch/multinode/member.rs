//! A job's end of its group.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::group::{Ask, Entry, Who};
use super::wire::{FromMember, MAX_LINE, ToMember};
use crate::dispatch::error::Error;

/// How long to wait for the others when the job does not say, and for an answer to a message.
const DEFAULT_LIMIT: Duration = Duration::from_secs(300);
/// How long the coordinator may take to note that a job has ended.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A board's place in its group, as the job has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub name: String,
    pub role: String,
    pub size: usize,
    pub essential: bool,
    /// The limit of every wait, in seconds.
    pub timeout: Option<u64>,
    /// The job begins when all who have this role have sent `lava_start`.
    pub start_after: Option<String>,
    /// The limit for that, in seconds.
    pub start_timeout: Option<u64>,
}

/// A job that has joined its group. Clones are the same member.
#[derive(Debug, Clone)]
pub struct Member {
    pub seat: Seat,
    /// Everybody, by name.
    pub members: Vec<Who>,
    inner: Arc<Inner>,
}

struct Inner {
    words: Mutex<Writer>,
    /// The number of what was asked for last, and the last answer.
    asked: AtomicU64,
    answered: watch::Receiver<Answered>,
    lost: watch::Receiver<Option<String>>,
    tasks: TaskTracker,
    /// The reader ends with the last clone, so that the coordinator sees that nobody is there.
    _reader: DropGuard,
}

/// The number of an ask and what came of it; 0 before the first one.
type Answered = (u64, Result<Vec<Entry>, Error>);

type Writer = FramedWrite<Box<dyn AsyncWrite + Send + Unpin>, LinesCodec>;

impl Member {
    /// Joins a group, and waits until it is complete.
    ///
    /// # Errors
    /// [`Error::Configuration`] when there is no place in the group; [`Error::MultinodeTimeout`] when the
    /// others do not come.
    pub async fn join(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        group: &str,
        seat: Seat,
    ) -> Result<Self, Error> {
        let (reader, writer) = tokio::io::split(stream);
        let codec = || LinesCodec::new_with_max_length(MAX_LINE);
        let writer: Box<dyn AsyncWrite + Send + Unpin> = Box::new(writer);
        let mut words = FramedWrite::new(writer, codec());
        let mut lines = FramedRead::new(reader, codec());
        let who = Who { name: seat.name.clone(), role: seat.role.clone() };
        let (group, size, essential) = (group.to_owned(), seat.size, seat.essential);
        say(&mut words, &FromMember::Join { group, size, who, essential }).await?;
        let limit = seat.timeout.map_or(DEFAULT_LIMIT, Duration::from_secs);
        let first = tokio::time::timeout(limit, lines.next()).await;
        let first = first.map_err(|_| {
            let seconds = limit.as_secs();
            Error::MultinodeTimeout(format!("the group was not complete after {seconds} s"))
        })?;
        let members = match first.and_then(Result::ok).map(|line| serde_json::from_str(&line)) {
            Some(Ok(ToMember::Complete { members })) => members,
            Some(Ok(ToMember::Refused { why, .. })) => return Err(Error::Configuration(why)),
            _ => return Err(gone()),
        };
        let (answer, answered) = watch::channel((0, Ok(Vec::new())));
        let (lose, lost) = watch::channel(None);
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        let reading = async move {
            while let Some(Ok(line)) = lines.next().await {
                let came = match serde_json::from_str(&line) {
                    Ok(ToMember::Answer { number, data }) => (number, Ok(data)),
                    Ok(ToMember::Never { number, why }) => (number, Err(Error::Group(why))),
                    Ok(ToMember::Refused { number, why }) => (number, Err(Error::Test(why))),
                    Ok(ToMember::Lost { why }) => {
                        lose.send_replace(Some(why));
                        continue;
                    }
                    Ok(ToMember::Complete { .. }) | Err(_) => continue,
                };
                drop(answer.send_replace(came));
            }
        };
        let end = ended.clone();
        tasks.spawn(async move { end.run_until_cancelled(reading).await });
        let (words, asked, _reader) = (Mutex::new(words), AtomicU64::new(0), ended.drop_guard());
        let inner = Inner { words, asked, answered, lost, tasks, _reader };
        Ok(Self { seat, members, inner: Arc::new(inner) })
    }

    /// Asks for something, instead of what was not answered yet. [`Member::answer`] gives what comes of
    /// it.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub async fn ask(&self, ask: Ask) -> Result<(), Error> {
        let mut words = self.inner.words.lock().await;
        let number = self.inner.asked.fetch_add(1, Ordering::Relaxed) + 1;
        say(&mut words, &FromMember::Ask { number, ask }).await
    }

    /// The answer to what was asked last. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Group`] when it can not come any more.
    pub async fn answer(&self) -> Result<Vec<Entry>, Error> {
        let asked = self.inner.asked.load(Ordering::Relaxed);
        let mut answered = self.inner.answered.clone();
        let came = answered.wait_for(|(number, _)| *number == asked).await;
        came.map_or_else(|_| Err(gone()), |came| came.1.clone())
    }

    /// Asks, and waits for the answer within the group's own limit or another one.
    ///
    /// # Errors
    /// As [`Member::answer`], and [`Error::MultinodeTimeout`].
    pub async fn call(&self, ask: Ask, limit: Option<Duration>) -> Result<Vec<Entry>, Error> {
        let called = ask.called();
        let limit = limit.unwrap_or_else(|| self.limit());
        self.ask(ask).await?;
        let answer = tokio::time::timeout(limit, self.answer()).await;
        answer.unwrap_or_else(|_| Err(timed_out(&called, limit)))
    }

    /// The limit of each wait.
    pub fn limit(&self) -> Duration {
        self.seat.timeout.map_or(DEFAULT_LIMIT, Duration::from_secs)
    }

    /// Comes back with the reason when the whole group has to end.
    pub async fn lost(&self) -> String {
        let mut lost = self.inner.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The coordinator is gone; that is told to who asks it for something.
            Err(_) => std::future::pending().await,
        }
    }

    /// Tells the others how the job has ended.
    pub async fn end(&self, error: Option<&Error>) {
        let failed = error.map(ToString::to_string);
        let mut words = self.inner.words.lock().await;
        let word = FromMember::End { failed };
        let said = say(&mut words, &word);
        if !matches!(tokio::time::timeout(END_LIMIT, said).await, Ok(Ok(()))) {
            tracing::debug!("the coordinator was gone before the job");
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member with {} tasks", self.tasks.len())
    }
}

/// A wait that was not answered in time.
pub(in crate::dispatch) fn timed_out(called: &str, limit: Duration) -> Error {
    let seconds = limit.as_secs();
    Error::MultinodeTimeout(format!("{called:?} was not answered by the group within {seconds} s"))
}

async fn say(words: &mut Writer, word: &FromMember) -> Result<(), Error> {
    let text = serde_json::to_string(word).map_err(|error| Error::Bug(error.to_string()))?;
    words.send(text).await.map_err(|_| gone())
}

fn gone() -> Error {
    Error::Infrastructure("the coordinator of the group is gone".into())
}
