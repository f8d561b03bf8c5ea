//! `sftp` and `scp`: what consoles have printed, as files that can only be read.
//!
//! Nothing of this host's disk is behind them: the daemons tell what there is, on the user's behalf. A file
//! is as it was when it was opened, and does not grow while it is copied.

mod events;
mod file;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::file::OpenFile;
use self::tree::{Entry, Place};
use crate::client::lab::Lab;
use crate::model::{Failure, Kind};
use crate::wire::sftp::{Answer, Request, Requests, Status};

/// How many files and folders may be open on one channel …
const OPEN: usize = 64;
/// … and by one user.
pub(super) const OPEN_BY_ONE: usize = 128;
/// A client that asks for nothing for so long keeps its files open, but nothing is held ready for it.
const IDLE: Duration = Duration::from_secs(60);
/// How many names of a folder are told at a time.
const NAMES: usize = 100;

/// What a handle stands for.
enum Handle {
    File(Box<OpenFile>),
    /// The names that are still to be told.
    Folder(std::vec::IntoIter<Entry>),
}

/// One client's files.
struct Files {
    lab: Lab,
    open: BTreeMap<u32, (Handle, OwnedSemaphorePermit)>,
    last: u32,
    /// What the user may open yet, on all channels.
    places: Arc<Semaphore>,
}

/// Answers a client until it is done; `places` is one for all channels of its user.
pub(super) async fn serve(
    lab: Lab,
    places: Arc<Semaphore>,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) {
    let mut files = Files { lab, open: BTreeMap::new(), last: 0, places };
    let mut requests = Requests::default();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        loop {
            let (id, request) = match requests.pop() {
                Ok(Some(popped)) => popped,
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "an SFTP client is not understood");
                    return;
                }
            };
            let answer = match request {
                Some(request) => files.answer(request).await,
                None => Answer::Status(Status::BadMessage, "the packet ends too early".into()),
            };
            if output.write_all(&answer.encode(id)).await.is_err() {
                return;
            }
        }
        match tokio::time::timeout(IDLE, input.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(length)) => requests.push(&buffer[..length]),
            Err(_) => files.rest(),
        }
    }
}

impl Files {
    async fn answer(&mut self, request: Request) -> Answer {
        let answered = match request {
            Request::Init => Ok(Answer::Version),
            Request::Open { writes: true, .. } | Request::Change => {
                let what = "nothing can be written here: these are records";
                return Answer::Status(Status::PermissionDenied, what.into());
            }
            Request::Open { path, writes: false } => self.open(&path).await,
            Request::OpenFolder { path } => self.open_folder(&path).await,
            Request::ReadFolder { handle } => Ok(self.read_folder(handle)),
            Request::Read { handle, offset, length } => match self.open.get_mut(&handle) {
                Some((Handle::File(file), _)) => file.read(offset, length).await,
                _ => return unknown(),
            },
            Request::Close { handle } => match self.open.remove(&handle) {
                Some(_) => Ok(Answer::Status(Status::Ok, String::new())),
                None => return unknown(),
            },
            Request::HandleAttributes { handle } => match self.open.get(&handle) {
                Some((Handle::File(file), _)) => Ok(Answer::Attributes(file.attributes())),
                Some((Handle::Folder(_), _)) => Ok(Answer::Attributes(tree::folder())),
                None => return unknown(),
            },
            Request::Attributes { path } => self.attributes(&path).await,
            Request::RealPath { path } => {
                let real = tree::normal(&path);
                Ok(Answer::Names(vec![(real.clone(), real, tree::folder())]))
            }
            Request::Other => {
                return Answer::Status(Status::Unsupported, "this is not done here".into());
            }
        };
        answered.unwrap_or_else(|failure| refusal(&failure))
    }

    async fn open(&mut self, path: &str) -> Result<Answer, Failure> {
        let Place::File { board, kind } = tree::place(path)? else {
            return Ok(Answer::Status(Status::Failure, format!("{path:?} is a folder")));
        };
        let console = tree::console(&self.lab, &board).await?;
        let file = OpenFile::open(console, kind).await?;
        Ok(self.keep(Handle::File(Box::new(file))))
    }

    async fn open_folder(&mut self, path: &str) -> Result<Answer, Failure> {
        let entries = match tree::place(path)? {
            Place::File { .. } => {
                let what = format!("{path:?} is no folder");
                return Ok(Answer::Status(Status::Failure, what));
            }
            place => tree::entries(&self.lab, &place).await?,
        };
        Ok(self.keep(Handle::Folder(entries.into_iter())))
    }

    fn read_folder(&mut self, handle: u32) -> Answer {
        let Some((Handle::Folder(entries), _)) = self.open.get_mut(&handle) else {
            return unknown();
        };
        let names: Vec<_> = entries.take(NAMES).map(Entry::told).collect();
        match names.is_empty() {
            true => Answer::Status(Status::Eof, "these were all".into()),
            false => Answer::Names(names),
        }
    }

    async fn attributes(&mut self, path: &str) -> Result<Answer, Failure> {
        let attributes = match tree::place(path)? {
            Place::File { board, kind } => {
                let console = tree::console(&self.lab, &board).await?;
                file::attributes(&console, kind).await?
            }
            Place::Board(board) => {
                tree::console(&self.lab, &board).await?;
                tree::folder()
            }
            Place::Root | Place::Consoles => tree::folder(),
        };
        Ok(Answer::Attributes(attributes))
    }

    fn keep(&mut self, handle: Handle) -> Answer {
        let place = self.places.clone().try_acquire_owned().ok();
        let Some(place) = place.filter(|_| self.open.len() < OPEN) else {
            let what = "you have as many files open as you may";
            return Answer::Status(Status::Failure, what.into());
        };
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, (handle, place));
        Answer::Handle(self.last)
    }

    fn rest(&mut self) {
        for (handle, _) in self.open.values_mut() {
            if let Handle::File(file) = handle {
                file.rest();
            }
        }
    }
}

fn unknown() -> Answer {
    Answer::Status(Status::Failure, "this handle is not open".into())
}

/// A failure as SFTP's clients know it.
fn refusal(failure: &Failure) -> Answer {
    let status = match failure.kind {
        Kind::User => Status::NoSuchFile,
        Kind::Refused => Status::PermissionDenied,
        _ => Status::Failure,
    };
    Answer::Status(status, failure.message.clone())
}
