//! The lines of a job's log, each with the actions that were under way.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dispatch::index;
use crate::model::{Failure, Kind};

/// The longest line of a log, in bytes: some times the longest console line, escaped.
pub(super) const MAX_LINE: u64 = 1 << 20;
/// So deep actions are followed: ours are some levels deep, and a log that nobody has ended may begin any number.
const MAX_DEPTH: usize = 64;

/// A line of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0.
    #[serde(skip)]
    pub index: u64,
    /// When it was logged, RFC 3339.
    pub dt: String,
    /// LAVA's level: `target`, `info`, …
    pub lvl: String,
    /// A text, or a result.
    pub msg: Value,
    /// When the board said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Where in the console's stream it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The namespace of its console, where that is not `common`, or the console's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<String>,
    /// The level and name of the actions that were under way, outermost first.
    #[serde(skip)]
    pub actions: Arc<Vec<(String, String)>>,
}

impl Entry {
    /// When it happened, in microseconds since the epoch: on the console, or else in the dispatcher.
    pub fn time_us(&self) -> Option<u64> {
        let time = self.time.as_ref().unwrap_or(&self.dt);
        let time: jiff::Timestamp = time.parse().ok()?;
        u64::try_from(time.as_microsecond()).ok()
    }

    /// The message as one text; a result as JSON.
    pub fn text(&self) -> String {
        match &self.msg {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Reads a log line by line, for as long as `each` wants more. What a dispatcher that was killed left
/// of its last line is left out. From another line on than the first, nothing is known of the actions
/// that are under way there.
///
/// # Errors
/// [`Kind::User`] when there is no log, [`Kind::Config`] for a line that is none of a log.
pub fn read(
    path: &Path,
    from: u64,
    mut each: impl FnMut(Entry) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let unreadable = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::User } else { Kind::Infra };
        let file = path.display();
        Failure::new(kind, format!("cannot read {file}: {error}; give a job's output folder"))
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let (first, begin) = index::nearest(path, from);
    file.seek(SeekFrom::Start(begin)).map_err(unreadable)?;
    let mut file = BufReader::new(file);
    let mut open = Arc::default();
    for index in first.. {
        let mut line = Vec::new();
        (&mut file).take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.last() != Some(&b'\n') && (line.len() as u64) < MAX_LINE {
            break;
        }
        let mut entry: Entry = serde_json::from_slice(&line).map_err(|error| {
            let what = "is no line of a job's log";
            let place = format!("{}:{}:{}", path.display(), index + 1, error.column());
            Failure::new(Kind::Config, format!("{place}: {what}"))
        })?;
        entry.index = index;
        follow(&mut entry, &mut open);
        if index >= from && each(entry)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// When the log begins, in microseconds since the epoch; `None` for an empty one.
///
/// # Errors
/// As [`read`].
pub fn begin(path: &Path) -> Result<Option<u64>, Failure> {
    let mut begin = None;
    read(path, 0, |entry| {
        begin = entry.time_us();
        Ok(ControlFlow::Break(()))
    })?;
    Ok(begin)
}

/// Notes which actions an entry belongs to; the lines with which one begins and ends are its own.
fn follow(entry: &mut Entry, open: &mut Arc<Vec<(String, String)>>) {
    let said = match (entry.lvl.as_str(), &entry.msg) {
        ("info" | "debug", Value::String(text)) => text.as_str(),
        _ => "",
    };
    let mut words = said.split(' ');
    let (verb, level, name) = (words.next(), words.next(), words.next());
    let action = level.zip(name).map(|(level, name)| (level.to_owned(), name.to_owned()));
    if let (Some("start:"), Some(action)) = (verb, &action)
        && open.len() < MAX_DEPTH
    {
        Arc::make_mut(open).push(action.clone());
    }
    entry.actions = open.clone();
    if let (Some("end:"), Some(action)) = (verb, &action)
        && let Some(at) = open.iter().rposition(|open| open == action)
    {
        Arc::make_mut(open).truncate(at);
    }
}
