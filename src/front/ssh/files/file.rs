//! One open file: made of a console's past as it is read.

use super::events::Events;
use super::tree::{FileKind, now};
use crate::client::ConsoleRef;
use crate::client::history::{self, Held, Past};
use crate::model::{Failure, units};
use crate::wire::frame::Frame;
use crate::wire::lines::{Line, Lines};
use crate::wire::plain::plain;
use crate::wire::sftp::{Answer, Attributes, MAX_DATA, Status};
use bytes::{Buf as _, Bytes, BytesMut};

/// The longest part of what is not held any more that is made up of zeros at a time, in bytes.
const ZEROS: u64 = 64 * 1024;

/// A file as it is when it is opened.
pub(super) struct OpenFile {
    console: ConsoleRef,
    kind: FileKind,
    /// What of the stream belongs to it.
    held: Held,
    /// What comes next, and where in the file.
    content: Content,
    next: u64,
    /// What is read and not yet given out.
    ready: BytesMut,
}

enum Content {
    /// Not begun, or begun at another place.
    None,
    Raw {
        past: Past,
        /// The offset that comes next.
        at: u64,
        coming: Coming,
    },
    Text {
        past: Past,
        lines: Lines,
    },
    Events(Events),
    /// All of it is ready.
    Done,
}

/// What of the past comes next.
enum Coming {
    Unknown,
    Frame(Frame),
    End,
}

/// What is told of a console's file.
///
/// # Errors
/// The daemon's own failure.
pub(super) async fn attributes(
    console: &ConsoleRef,
    kind: FileKind,
) -> Result<Attributes, Failure> {
    let held = history::held(console).await?;
    Ok(told(kind, &held))
}

fn told(kind: FileKind, held: &Held) -> Attributes {
    let size = (kind == FileKind::Raw).then(|| held.head.saturating_sub(held.first));
    Attributes { size, folder: false, time: now() }
}

impl OpenFile {
    /// # Errors
    /// The daemon's own failure, as when the user may not read there.
    pub(super) async fn open(console: ConsoleRef, kind: FileKind) -> Result<Self, Failure> {
        let held = history::held(&console).await?;
        // Who may not read is told so now. Nothing is kept of this until they do read.
        history::past(&console, held.head, Some(held.head)).await?;
        let (content, ready) = (Content::None, BytesMut::new());
        Ok(Self { console, kind, held, content, next: 0, ready })
    }

    /// Holds nothing until it is read again.
    pub(super) fn rest(&mut self) {
        (self.content, self.ready) = (Content::None, BytesMut::new());
    }

    pub(super) fn attributes(&self) -> Attributes {
        told(self.kind, &self.held)
    }

    /// The bytes from a place on; fewer only at the end.
    ///
    /// # Errors
    /// When the daemon does not go on.
    pub(super) async fn read(&mut self, offset: u64, length: u32) -> Result<Answer, Failure> {
        let length = (length as usize).min(MAX_DATA);
        // Of the raw bytes any place is found at once; the rest is made anew up to there.
        let is_raw = self.kind == FileKind::Raw;
        let reachable = offset == self.next || !is_raw && offset > self.next;
        if !reachable || matches!(self.content, Content::None) {
            self.begin(if is_raw { offset } else { 0 }).await?;
        }
        while self.next < offset {
            let skipped = usize::try_from(offset - self.next).unwrap_or(usize::MAX);
            if self.fill(skipped.min(MAX_DATA)).await?.is_empty() {
                break;
            }
        }
        let data = self.fill(length).await?;
        Ok(match data.is_empty() && length > 0 {
            true => Answer::Status(Status::Eof, "this is the end".into()),
            false => Answer::Data(data),
        })
    }

    /// Takes the next so many bytes, or those that are left.
    async fn fill(&mut self, length: usize) -> Result<Bytes, Failure> {
        while self.ready.len() < length && self.more().await? {}
        let data = self.ready.split_to(length.min(self.ready.len())).freeze();
        self.next += data.len() as u64;
        Ok(data)
    }

    /// Goes to a place in the file; it is 0 but for raw bytes.
    async fn begin(&mut self, place: u64) -> Result<(), Failure> {
        self.ready.clear();
        self.next = place;
        let Held { first, head } = self.held;
        let from = first.saturating_add(place).min(head);
        let console = &self.console;
        self.content = match self.kind {
            FileKind::Raw => {
                let past = history::past(console, from, Some(head)).await?;
                Content::Raw { past, at: from, coming: Coming::Unknown }
            }
            FileKind::Text => {
                let past = history::past(console, from, Some(head)).await?;
                Content::Text { past, lines: Lines::default() }
            }
            FileKind::Events => Content::Events(Events::until(head)),
        };
        Ok(())
    }

    /// Makes more ready; false at the end.
    async fn more(&mut self) -> Result<bool, Failure> {
        let head = self.held.head;
        match &mut self.content {
            Content::None | Content::Done => Ok(false),
            Content::Raw { past, at, coming } => {
                if matches!(coming, Coming::Unknown) {
                    *coming = past.next().await?.map_or(Coming::End, Coming::Frame);
                }
                let begin = match coming {
                    Coming::Frame(frame) => frame.offset.min(head),
                    Coming::Unknown | Coming::End => head,
                };
                if *at < begin {
                    // What is not held any more reads as zeros, like a hole in a file: so every byte
                    // has its place, which is its offset.
                    let zeros = (begin - *at).min(ZEROS);
                    self.ready.resize(self.ready.len() + zeros as usize, 0);
                    *at += zeros;
                    return Ok(true);
                }
                let Coming::Frame(Frame { offset, mut bytes, .. }) =
                    std::mem::replace(coming, Coming::Unknown)
                else {
                    self.content = Content::Done;
                    return Ok(false);
                };
                bytes.advance((*at - offset).min(bytes.len() as u64) as usize);
                bytes.truncate((head - *at).min(bytes.len() as u64) as usize);
                *at += bytes.len() as u64;
                self.ready.extend_from_slice(&bytes);
                Ok(true)
            }
            Content::Events(events) => {
                match events.next(&self.console).await? {
                    Some(events) => events.into_iter().for_each(|event| {
                        self.ready.extend_from_slice(format!("{event}\n").as_bytes());
                    }),
                    None => self.content = Content::Done,
                }
                Ok(true)
            }
            Content::Text { past, lines } => {
                let ready = &mut self.ready;
                let mut print = |line: Line| {
                    let text = plain(&line.bytes);
                    let time = units::time_text(line.time_us);
                    ready.extend_from_slice(format!("{time}  {text}\n").as_bytes());
                };
                match past.next().await? {
                    Some(frame) => lines.push(&frame, print),
                    None => {
                        lines.finish().into_iter().for_each(&mut print);
                        self.content = Content::Done;
                    }
                }
                Ok(true)
            }
        }
    }
}
