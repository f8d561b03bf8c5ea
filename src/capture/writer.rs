//! Appends to a capture.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::index::{IndexReader, IndexWriter, Mark};
use super::private::{private, private_dir};
use super::segment::{OF_THE_BYTES, Segment};
use super::{Housekeeping, OpenError, Store, events};
use crate::config::CaptureOptions;
use crate::model::{Event, Name, What};

/// How long to wait after a failed write before trying again.
const RETRY: Duration = Duration::from_secs(1);
/// So many events wait for [`Writer::settle`] at most.
const LATER: usize = 32;
/// Segments are kept for an age in at least so many parts.
const PARTS: u32 = 8;
/// How often a capture is tended, if its age limit does not want it more often.
const TENDED: Duration = Duration::from_secs(3600);
const LEAST_TENDED: Duration = Duration::from_secs(1);

/// The one writer of a console's capture.
///
/// Appending is a write(2): a killed process loses nothing that was appended. What a power loss can
/// cost is bounded by how often the owner syncs ([`Writer::unsynced`]).
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    options: CaptureOptions,
    /// The offset that the next byte will have.
    head: u64,
    open: Option<Files>,
    pub(super) broken: Option<Broken>,
    /// Events to be recorded when [`Writer::settle`] is called.
    later: Vec<Event>,
    /// Set when a segment was closed, until [`Writer::housekeeping`] takes it.
    pub(super) rotated: bool,
    /// Held for as long as the writer lives.
    _lock: File,
}

/// The files of the open segment.
#[derive(Debug)]
struct Files {
    start: u64,
    raw: Arc<File>,
    index: IndexWriter,
    events: File,
    /// What was written to `events` by this process.
    event_bytes: u64,
    unsynced: bool,
}

/// The capture cannot be written at the moment.
#[derive(Debug)]
pub(super) struct Broken {
    /// The first offset that is missing.
    from: u64,
    reason: String,
    pub(super) tried: Instant,
}

impl Writer {
    /// Opens or creates the capture of a console and finds its head.
    ///
    /// # Errors
    /// When the folder cannot be used, or another process writes to it.
    pub fn open(console: &Name, options: CaptureOptions) -> Result<Self, OpenError> {
        let dir = options.dir.join(console.as_str());
        let failed = |source| OpenError::Io { path: dir.clone(), source };
        private_dir(&dir).map_err(failed)?;
        let lock = private().write(true).create(true).open(dir.join("lock")).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenError::Locked(dir)),
            Err(error) => return Err(failed(error.into())),
        }
        let (store, head) = Store::scan(dir.clone()).map_err(failed)?;
        let last = store.lock().last().copied();
        let mut writer = Self {
            store: Arc::new(store),
            options,
            head,
            open: None,
            broken: None,
            later: Vec::new(),
            rotated: true,
            _lock: lock,
        };
        // The last segment is continued, so that many restarts do not make many small files.
        let continued = |last: &Segment| !last.compressed && last.end() == Some(head);
        if let Some(last) = last.filter(continued) {
            writer.open = Some(writer.open_files(last.start).map_err(failed)?);
            if let Some(segment) = writer.store.lock().last_mut() {
                segment.len = None;
            }
        }
        Ok(writer)
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Goes on with other limits, in the same folder.
    pub fn change_options(&mut self, options: CaptureOptions) {
        self.options = options;
        self.rotated = true;
    }

    /// The offset that the next byte will have.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Goes on at an offset beyond the head: the bytes before it were never captured. Gives the event
    /// of that gap.
    pub fn skip_to(&mut self, offset: u64, time_us: u64) -> Option<Event> {
        let from = self.head;
        if offset <= from {
            return None;
        }
        self.close(from);
        self.head = offset;
        let reason = "the capture could not be written before a restart".to_owned();
        let event =
            Event { offset: from, time_us, who: None, what: What::Gap { to: offset, reason } };
        self.record(&event);
        Some(event)
    }

    /// Why the capture is not being written, if it is not.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_ref().map(|broken| broken.reason.as_str())
    }

    /// Appends bytes that came at `time_us`, and moves the head over them whatever happens. Their time
    /// is written by [`Self::settle`], which is to be called soon.
    ///
    /// Gives the event of a gap that has just ended, so that the owner can publish it. While the
    /// disk cannot be written the bytes are lost to the capture; it is tried again every second.
    pub fn append(&mut self, time_us: u64, bytes: &[u8]) -> Option<Event> {
        let offset = self.head;
        self.head += bytes.len() as u64;
        if self.broken.as_ref().is_some_and(|broken| broken.tried.elapsed() < RETRY) {
            return None;
        }
        match self.write(offset, time_us, bytes) {
            Ok(()) => self.broken.take().map(|broken| self.gap_ended(&broken, offset, time_us)),
            Err((written, error)) => {
                // A retry of which a part was written has ended one gap and begins the next.
                let ended = self.broken.take_if(|_| written > 0);
                let event = ended.map(|broken| self.gap_ended(&broken, offset, time_us));
                self.broke(offset + written, &error);
                event
            }
        }
    }

    /// Records an event when [`Self::settle`] is called: for what happens at each keystroke.
    pub fn record_later(&mut self, event: Event) {
        self.later.push(event);
        if self.later.len() >= LATER {
            self.settle();
        }
    }

    /// Whether it is time to [`Self::settle`], as soon as nothing more urgent is to be done.
    pub fn is_unsettled(&self) -> bool {
        !self.later.is_empty() || self.open.as_ref().is_some_and(|files| files.index.is_due())
    }

    /// Writes what bytes do not wait for. A process that is killed before that loses it: of the last
    /// bytes their time, and who typed them.
    pub fn settle(&mut self) {
        for event in std::mem::take(&mut self.later) {
            self.record_now(&event);
        }
        if let Some(files) = &mut self.open
            && let Err(error) = files.index.write()
        {
            self.broke(self.head, &error);
        }
    }

    /// Records an event. A failure is logged only: the bytes matter more.
    pub fn record(&mut self, event: &Event) {
        self.settle();
        self.record_now(event);
    }

    fn record_now(&mut self, event: &Event) {
        let recorded = match &mut self.open {
            Some(files) => events::append(&mut files.events, event),
            None if self.broken.is_some() => return,
            None => self.roll(self.head).and_then(|files| events::append(&mut files.events, event)),
        };
        if let (Ok(len), Some(files)) = (&recorded, &mut self.open) {
            files.event_bytes += len;
        }
        if let Err(error) = recorded {
            let dir = self.store.dir().display();
            tracing::warn!(%dir, %error, "an event could not be recorded");
        }
    }

    /// The open file if bytes were written to it since the last call: to be given to
    /// [`File::sync_data`] where blocking is allowed.
    pub fn unsynced(&mut self) -> Option<Arc<File>> {
        // Somebody removed the file under us: what is appended from now on goes to a new one.
        if self.open.as_ref().is_some_and(|files| is_unlinked(&files.raw)) {
            tracing::warn!(dir = %self.store.dir().display(), "the open segment was removed");
            self.close(self.head);
            self.store.lock().pop();
        }
        let files = self.open.as_mut()?;
        std::mem::take(&mut files.unsynced).then(|| files.raw.clone())
    }

    /// The work that came up since the last call, to be run where blocking is allowed.
    pub fn housekeeping(&mut self) -> Option<Housekeeping> {
        std::mem::take(&mut self.rotated)
            .then(|| Housekeeping { store: self.store.clone(), options: self.options.clone() })
    }

    /// When [`Self::tend`] is due again.
    pub fn tended_every(&self) -> Duration {
        let eighth = self.options.keep_age.map(|age| age / PARTS);
        eighth.map_or(TENDED, |eighth| eighth.clamp(LEAST_TENDED, TENDED))
    }

    /// Does what only time makes due, however little the console prints: a segment that is old
    /// enough is closed, so that it is deleted in time; and housekeeping looks at the others' age.
    pub fn tend(&mut self, now_us: u64) {
        self.rotated = true;
        let Some((age, files)) = self.options.keep_age.zip(self.open.as_ref()) else { return };
        let begun = IndexReader::open(&self.store.path(files.start, "idx"));
        let begun_us = begun.and_then(|index| index.begin_us()).ok().flatten();
        let old = begun_us.is_some_and(|begun_us| {
            u128::from(now_us.saturating_sub(begun_us)) > (age / PARTS).as_micros()
        });
        if old && self.head > files.start {
            self.settle();
            self.close(self.head);
        }
    }

    /// On failure tells how many of the bytes were written before it.
    fn write(&mut self, offset: u64, time_us: u64, bytes: &[u8]) -> Result<(), (u64, io::Error)> {
        let full = self.open.as_ref().is_none_or(|files| {
            let size = (offset - files.start + bytes.len() as u64).max(files.event_bytes);
            // An index is sorted by time: a clock that was set back begins another one.
            let apart = size > self.options.segment || files.index.is_before(time_us);
            offset > files.start && apart
        });
        if full {
            self.roll(offset).map_err(|error| (0, error))?;
        }
        let Some(files) = &mut self.open else { return Ok(()) };
        files.unsynced = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            match (&*files.raw).write(rest) {
                Ok(0) => {
                    return Err((
                        (bytes.len() - rest.len()) as u64,
                        io::ErrorKind::WriteZero.into(),
                    ));
                }
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(((bytes.len() - rest.len()) as u64, error)),
            }
        }
        files.index.note(Mark { offset, time_us });
        Ok(())
    }

    /// Closes the open segment at `offset` and opens the next one there.
    fn roll(&mut self, offset: u64) -> io::Result<&mut Files> {
        // What is left belongs to the segment that is closed.
        self.settle();
        self.close(offset);
        let files = self.open_files(offset)?;
        self.store.lock().push(Segment { start: offset, len: None, compressed: false });
        Ok(self.open.insert(files))
    }

    /// Closes the open segment, whose last byte is before `end`. An empty one is not kept.
    fn close(&mut self, end: u64) {
        let Some(mut files) = self.open.take() else { return };
        if let Err(error) = files.index.write() {
            tracing::debug!(dir = %self.store.dir().display(), %error, "times are lost");
        }
        if end == files.start {
            self.store.lock().pop();
            self.store.remove(files.start);
            return;
        }
        if let Some(segment) = self.store.lock().last_mut() {
            segment.len = Some(end - files.start);
        }
        self.rotated = true;
    }

    fn open_files(&self, start: u64) -> io::Result<Files> {
        private_dir(self.store.dir())?;
        let path = self.store.path(start, "raw");
        let is_new = !path.exists();
        let raw = private().append(true).create(true).open(&path)?;
        let files = self.files(start, raw);
        if files.is_err() && is_new {
            // Half a segment is none, and would be listed as an empty one.
            let _ = fs::remove_file(&path);
        }
        files
    }

    /// The files of a segment of which one is open.
    fn files(&self, start: u64, raw: File) -> io::Result<Files> {
        if raw.metadata()?.len() == 0 {
            // Left over from other bytes at the same offset.
            for suffix in OF_THE_BYTES {
                match fs::remove_file(self.store.path(start, suffix)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(Files {
            start,
            raw: Arc::new(raw),
            index: IndexWriter::open(&self.store.path(start, "idx"))?,
            events: events::open(&self.store.path(start, "jsonl"))?,
            event_bytes: 0,
            unsynced: false,
        })
    }

    fn broke(&mut self, from: u64, error: &io::Error) {
        // What comes later does not belong behind what is in the file now.
        self.close(from);
        let dir = self.store.dir().display();
        match &mut self.broken {
            Some(broken) => broken.tried = Instant::now(),
            None => {
                tracing::error!(%dir, %error, "the capture cannot be written; the console goes on");
                self.broken =
                    Some(Broken { from, reason: error.to_string(), tried: Instant::now() });
            }
        }
    }

    fn gap_ended(&mut self, broken: &Broken, to: u64, time_us: u64) -> Event {
        let dir = self.store.dir().display();
        tracing::warn!(%dir, from = broken.from, to, "the capture is being written again");
        let what = What::Gap {
            to,
            reason: format!("the capture could not be written: {}", broken.reason),
        };
        let event = Event { offset: broken.from, time_us, who: None, what };
        self.record(&event);
        event
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.settle();
    }
}

fn is_unlinked(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|file| file.nlink() == 0)
}
