//! The job's log: one JSON object per line.
//!
//! `{"dt":"2026-…","lvl":"target","msg":"Starting kernel …","time":"2026-…","offset":4711}`. `dt` and
//! `lvl` and `msg` are LAVA's. A line of the console also has its own time and the offset of its
//! first byte in the console's stream, where the connection has offsets; `ns` says whose console it is, where
//! it is not that of the namespace `common`. Beside it is an [`index`].

mod files;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use self::files::{Files, MAX_WAITING};
use super::error::Error;
use super::expect::Place;
use super::index;
use super::masked::Masks;
use super::progress::Progress;
use super::results::CaseResult;
use crate::model::units::{now_us, time_text};
use crate::model::{Failure, Kind};

/// The longest console line that is logged as one, in bytes; a longer one is split.
pub const MAX_LINE: usize = 16 * 1024;

/// So long the end of a job waits for its log, and so often it is tried.
const FINISH: (Duration, Duration) = (Duration::from_secs(600), Duration::from_millis(500));

/// LAVA's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    /// What was typed.
    Input,
    /// What the board said.
    Target,
    /// What another console has said that is only listened to.
    Feedback,
    Results,
    /// What a test told with `lava-test-event`.
    Event,
}

#[derive(Debug, Serialize)]
struct Line<'a, M> {
    dt: &'a str,
    lvl: Level,
    msg: M,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// The namespace, or the name, of the console that it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    ns: Option<&'a str>,
}

/// The log file of one job. Every line is written at once, so that a log can be followed and is whole
/// when the dispatcher is killed.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    files: Mutex<Files>,
    lines: AtomicU64,
    /// What must never be logged.
    masks: Masks,
    progress: Arc<dyn Progress>,
    /// What the job waits for at the console.
    waiting: Mutex<Option<String>>,
}

impl Log {
    /// Creates the file and its index.
    ///
    /// # Errors
    /// [`Kind::Infra`] when they cannot be created.
    pub fn create(
        path: &Path,
        secrets: &[String],
        progress: Arc<dyn Progress>,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Kind::Infra, format!("cannot create {}: {error}", path.display()))
        };
        let log = File::create(path).map_err(failed)?;
        let index = index::Writer::create(&index::path_of(path)).map_err(failed)?;
        let masks = Masks::new(secrets.iter().map(String::as_str));
        let (waiting, lost) = (Vec::new(), 0);
        let files = Mutex::new(Files { log, waiting, lost, index: Some(index) });
        let (lines, waiting) = (AtomicU64::new(0), Mutex::default());
        Ok(Self(Arc::new(Inner { files, lines, masks, progress, waiting })))
    }

    /// Goes on with a file that another process has begun. The lines are numbered from 0 again, and not
    /// in the index.
    ///
    /// # Errors
    /// [`Kind::Infra`] when it cannot be opened.
    pub fn append(
        path: &Path,
        secrets: &[String],
        progress: Arc<dyn Progress>,
    ) -> Result<Self, Failure> {
        let log = File::options().append(true).create(true).open(path).map_err(|error| {
            Failure::new(Kind::Infra, format!("cannot open {}: {error}", path.display()))
        })?;
        let (waiting, lost) = (Vec::new(), 0);
        let files = Mutex::new(Files { log, waiting, lost, index: None });
        let lines = AtomicU64::new(0);
        let masks = Masks::new(secrets.iter().map(String::as_str));
        let waiting = Mutex::default();
        Ok(Self(Arc::new(Inner { files, lines, masks, progress, waiting })))
    }

    /// Notes what the job waits for now, for whoever has to tell.
    pub fn waits_for(&self, what: Option<String>) {
        *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub fn waiting(&self) -> Option<String> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn debug(&self, message: impl AsRef<str>) {
        self.text(Level::Debug, message.as_ref());
    }

    pub fn info(&self, message: impl AsRef<str>) {
        self.text(Level::Info, message.as_ref());
    }

    pub fn warning(&self, message: impl AsRef<str>) {
        self.0.progress.warning(&self.masked(message.as_ref()));
        self.text(Level::Warning, message.as_ref());
    }

    pub fn error(&self, message: impl AsRef<str>) {
        self.text(Level::Error, message.as_ref());
    }

    /// What a test wants its watchers to know.
    pub fn event(&self, text: impl AsRef<str>) {
        self.text(Level::Event, text.as_ref());
    }

    /// A line that a program has printed that is the job itself.
    pub fn said(&self, line: &str) {
        self.text(Level::Target, line);
    }

    /// A line of a console of this name that is only listened to.
    pub fn feedback(&self, name: &str, line: &str) {
        let (dt, lvl) = (time_text(now_us()), Level::Feedback);
        let (mut batch, msg) = (Batch::default(), self.masked(line));
        batch.add(&Line { dt: &dt, lvl, msg, time: None, offset: None, ns: Some(name) });
        self.append_batch(&mut batch);
    }

    /// What was typed at the board.
    pub fn input(&self, text: &str) {
        self.text(Level::Input, text);
    }

    pub fn results(&self, result: &impl Serialize) {
        self.write(Level::Results, result);
    }

    /// Takes the secrets out of what a board or an action has told in a result.
    pub fn mask(&self, case: &mut CaseResult) {
        let CaseResult { case, set, units, reference, error_msg, extra, .. } = case;
        let texts = [set, units, reference, error_msg].into_iter().flatten();
        for text in texts.chain(extra.values_mut()).chain([case]) {
            *text = self.masked(text).into_owned();
        }
    }

    /// The same error without the secrets: it is told in more places than the log.
    pub fn masked_error(&self, error: Error) -> Error {
        error.with_texts(|text| self.masked(text).into_owned())
    }

    /// How many lines the log has: the number of the next one, from 0.
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    fn text(&self, level: Level, message: &str) {
        self.write(level, self.masked(message));
    }

    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.masks.mask(text)
    }

    fn write(&self, lvl: Level, msg: impl Serialize) {
        let dt = time_text(now_us());
        let mut batch = Batch::default();
        batch.add(&Line { dt: &dt, lvl, msg, time: None, offset: None, ns: None });
        self.append_batch(&mut batch);
    }

    /// Writes lines to the file, and empties the batch.
    fn append_batch(&self, batch: &mut Batch) {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        let more = if files.waiting.len() + batch.text.len() > MAX_WAITING {
            files.lost += batch.lengths.len();
            0
        } else {
            files.add(batch)
        };
        if files.waiting.is_empty() && files.lost > 0 {
            // Now that there is room, whoever reads it is told what is missing.
            let lost = std::mem::take(&mut files.lost);
            let (dt, lvl) = (time_text(now_us()), Level::Error);
            let msg = format!("{lost} lines are missing here: the log could not be written");
            let mut told = Batch::default();
            told.add(&Line { dt: &dt, lvl, msg, time: None, offset: None, ns: None });
            self.0.lines.fetch_add(files.add(&told), Ordering::Relaxed);
        }
        self.0.lines.fetch_add(more, Ordering::Relaxed);
        batch.text.clear();
        batch.lengths.clear();
    }

    /// Waits until all of it is written: who has been told the job's end finds no more than what there is.
    ///
    /// # Errors
    /// [`Kind::Infra`] when the disk has taken none of it for too long.
    pub async fn finish(&self) -> Result<(), Failure> {
        let begun = tokio::time::Instant::now();
        loop {
            let error = {
                let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
                match files.write() {
                    Ok(()) if files.lost == 0 => return Ok(()),
                    Ok(()) => None,
                    Err(error) => Some(error),
                }
            };
            let Some(error) = error else {
                self.append_batch(&mut Batch::default());
                continue;
            };
            if begun.elapsed() > FINISH.0 {
                let what = format!("the end of the job's log cannot be written: {error}");
                return Err(Failure::new(Kind::Infra, what));
            }
            tokio::time::sleep(FINISH.1).await;
        }
    }
}

/// Lines that are written together.
#[derive(Debug, Default)]
struct Batch {
    text: Vec<u8>,
    /// Those of the lines, in bytes, their ends included.
    lengths: Vec<usize>,
}

impl Batch {
    fn add(&mut self, line: &Line<'_, impl Serialize>) {
        let begin = self.text.len();
        if serde_json::to_writer(&mut self.text, line).is_err() {
            self.text.truncate(begin);
        }
        self.text.push(b'\n');
        self.lengths.push(self.text.len() - begin);
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log of {} lines", self.lines.load(Ordering::Relaxed))
    }
}

/// Cuts the stream into lines for the log. The lines of a piece are written together, as soon as it is
/// there.
#[derive(Debug, Default)]
pub struct Lines {
    /// Of the console, if that is not the only one of most jobs.
    namespace: Option<String>,
    /// Another console's action listens: what is said is beside the point.
    beside: bool,
    partial: Vec<u8>,
    /// The place of the first byte of `partial`.
    place: Option<Place>,
    /// How many bytes have come, and how many before those of `partial`.
    position: u64,
    begin: u64,
    /// Where the last lines began in the stream, and their numbers in the log.
    logged: VecDeque<(u64, u64)>,
    batch: Batch,
    /// The times of the line before, as numbers and as texts: those of a piece are often the same.
    now: (u64, String),
    time: (u64, String),
}

/// The namespace of jobs that name none.
const ONLY: &str = "common";

/// Of so many lines it is known where they are in the log: more than come in one piece.
const LOGGED: usize = 16 * 1024;

impl Lines {
    /// Says whose console it is.
    pub fn of(&mut self, namespace: &str) {
        self.namespace = (namespace != ONLY).then(|| namespace.to_owned());
    }

    /// What is said from now on is a test's feedback, in LAVA's word, or no longer.
    pub fn set_beside(&mut self, beside: bool) {
        self.beside = beside;
    }

    pub fn push(&mut self, place: Place, bytes: &[u8], log: &Log) {
        self.is_now();
        let mut at = 0;
        while at < bytes.len() {
            if self.place.is_none() {
                let offset = place.offset.map(|offset| offset + at as u64);
                self.place = Some(Place { offset, ..place });
                self.begin = self.position + at as u64;
            }
            let room = &bytes[at..bytes.len().min(at + MAX_LINE - self.partial.len())];
            let end = memchr::memchr(b'\n', room);
            self.partial.extend_from_slice(&room[..end.unwrap_or(room.len())]);
            at += end.map_or(room.len(), |end| end + 1);
            if end.is_some() || self.partial.len() >= MAX_LINE {
                self.end_line(log);
            }
        }
        self.position += bytes.len() as u64;
        if !self.batch.lengths.is_empty() {
            log.append_batch(&mut self.batch);
        }
    }

    /// The line of the log that has the byte at this position of the stream, or will have it.
    pub fn line_of(&self, position: u64, log: &Log) -> u64 {
        if self.place.is_some() && position >= self.begin {
            return log.lines();
        }
        let after = self.logged.partition_point(|(begin, _)| *begin <= position);
        let line = after.checked_sub(1).and_then(|at| self.logged.get(at));
        line.map_or_else(|| log.lines(), |(_, line)| *line)
    }

    /// Logs what there is of a line that has no end yet.
    pub fn flush(&mut self, log: &Log) {
        self.is_now();
        if self.end_line(log).is_some() {
            log.append_batch(&mut self.batch);
        }
    }

    fn is_now(&mut self) {
        remember(&mut self.now, now_us());
    }

    /// A line of the board's; control characters as they came.
    fn end_line(&mut self, log: &Log) -> Option<()> {
        let place = self.place.take()?;
        if self.logged.len() == LOGGED {
            self.logged.pop_front();
        }
        self.logged.push_back((self.begin, log.lines() + self.batch.lengths.len() as u64));
        let text = String::from_utf8_lossy(&self.partial);
        let text = text.trim_end_matches('\r');
        let text = log.masked(text);
        log.0.progress.console(place, &text);
        remember(&mut self.time, place.time_us);
        self.batch.add(&Line {
            dt: &self.now.1,
            lvl: if self.beside { Level::Feedback } else { Level::Target },
            msg: text,
            time: Some(&self.time.1),
            offset: place.offset,
            ns: self.namespace.as_deref(),
        });
        self.partial.clear();
        Some(())
    }
}

fn remember(known: &mut (u64, String), time_us: u64) {
    if known.0 != time_us || known.1.is_empty() {
        *known = (time_us, time_text(time_us));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::dispatch::progress::Silent;

    #[test]
    fn a_console_line_has_its_own_time_and_offset_and_no_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.jsonl");
        let log = Log::create(&path, &["hunter2".into()], Arc::new(Silent)).unwrap();
        let mut lines = Lines::default();
        let at = |offset| Place { offset: Some(offset), time_us: 1_000_000 + offset };
        lines.push(at(100), b"\rone\r\ntoken hunt", &log);
        lines.push(at(115), b"er2\r\nrest", &log);
        lines.flush(&log);
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |key: &str| parsed.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("msg"), ["\rone", "token [MASKED]", "rest"]);
        assert_eq!(of("offset"), [100, 106, 120]);
        assert_eq!(of("time")[0], "1970-01-01T00:00:01.000Z");
        assert_eq!(log.lines(), 3);
        log.info("something else");
        lines.push(at(124), b"of it\r\nlast", &log);
        // By the bytes before: of the first line, the second, what came after the pause, and the rest.
        let found = [0, 5, 6, 20, 21, 25, 31, 32].map(|position| lines.line_of(position, &log));
        assert_eq!(found, [0, 0, 1, 1, 2, 4, 4, 5]);
    }

    #[tokio::test]
    async fn what_a_full_disk_does_not_take_waits_until_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::create(&path, &[], Arc::new(Silent)).unwrap();
        log.info("one");
        let set = |file: File| log.0.files.lock().unwrap().log = file;
        set(File::options().write(true).open("/dev/full").unwrap());
        log.info("two");
        log.info("x".repeat(MAX_WAITING));
        log.info("three");
        set(File::options().append(true).open(&path).unwrap());
        log.finish().await.unwrap();
        log.info("four");
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let said: Vec<_> = parsed.map(|line| line["msg"].as_str().unwrap().to_owned()).collect();
        let missing = "1 lines are missing here: the log could not be written";
        assert_eq!(said, ["one", "two", "three", missing, "four"]);
        assert_eq!(log.lines(), 5);
    }

    #[test]
    fn a_result_has_no_secret_in_it_and_nothing_is_left_of_the_longer_of_two() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = ["tok".to_owned(), "token-4711".to_owned()];
        let log = Log::create(&dir.path().join("l"), &secrets, Arc::new(Silent)).unwrap();
        let told = "the board's last line: \"+ curl -H token-4711\"".to_owned();
        let extra =
            std::collections::BTreeMap::from([("seen".to_owned(), "token-4711".to_owned())]);
        let mut case = CaseResult { error_msg: Some(told), extra, ..CaseResult::default() };
        log.mask(&mut case);
        let masked = "the board's last line: \"+ curl -H [MASKED]\"";
        assert_eq!(case.error_msg.as_deref(), Some(masked));
        assert_eq!(case.extra["seen"], "[MASKED]");
    }
}
