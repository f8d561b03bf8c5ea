//! What one line of a log says. Ours are written in one way, which is read quickly; others' as JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::dispatch::results::CaseResult;

/// LAVA's levels, and last what is none of them.
pub(super) const LEVELS: [&str; 10] = [
    "debug", "info", "warning", "error", "input", "target", "feedback", "results", "event", "other",
];

/// What stands in front of a line's message.
pub(super) struct Head<'a> {
    /// RFC 3339.
    pub(super) time: Option<&'a str>,
    /// Of [`LEVELS`].
    pub(super) level: usize,
    /// From the message on, as it is in the line: JSON, with what follows it.
    pub(super) message: &'a [u8],
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    lvl: Option<Cow<'a, str>>,
    #[serde(default)]
    msg: Value,
}

/// Reads the beginning of a line. Of one that is no line of ours the level is told alone, if it has one.
pub(super) fn head(line: &[u8]) -> Head<'_> {
    quick(line).unwrap_or_else(|| {
        let read: Option<Line<'_>> = serde_json::from_slice(line).ok();
        let level = read.and_then(|line| Some(level(line.lvl?.as_bytes())));
        Head { time: None, level: level.unwrap_or(LEVELS.len() - 1), message: b"" }
    })
}

/// `{"dt":"…","lvl":"…","msg":…`
fn quick(line: &[u8]) -> Option<Head<'_>> {
    let rest = line.strip_prefix(br#"{"dt":""#)?;
    let (time, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let rest = rest.strip_prefix(br#"","lvl":""#)?;
    let (lvl, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let message = rest.strip_prefix(br#"","msg":"#)?;
    Some(Head { time: std::str::from_utf8(time).ok(), level: level(lvl), message })
}

fn level(text: &[u8]) -> usize {
    LEVELS.iter().position(|level| level.as_bytes() == text).unwrap_or(LEVELS.len() - 1)
}

/// A line's message as text: of a result, as people read it; of what is no line of a log, all of it.
pub(super) fn message(line: &[u8]) -> Cow<'_, str> {
    if let Some(text) = quick(line).and_then(|head| plain_text(head.message)) {
        return text.into();
    }
    let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
        return String::from_utf8_lossy(line.trim_ascii_end());
    };
    match line.msg {
        Value::String(text) => text.into(),
        value @ Value::Object(_) => {
            let case = serde_json::from_value::<CaseResult>(value.clone());
            let case = case.ok().filter(|case| !case.case.is_empty());
            case.map_or_else(|| value.to_string(), |case| case.to_string()).into()
        }
        other => other.to_string().into(),
    }
}

/// A JSON text in which nothing is escaped.
pub(super) fn plain_text(json: &[u8]) -> Option<&str> {
    let text = json.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', text)?;
    (text[end] == b'"').then(|| std::str::from_utf8(&text[..end]).ok()).flatten()
}

/// When the board said a line, in microseconds since the epoch, of its last bytes: `…","time":"…","offset":7}`. Within a
/// text quotes are escaped, so that nothing a board says looks like that.
pub(super) fn time_behind(end: &[u8]) -> Option<u64> {
    const KEY: &[u8] = br#"","time":""#;
    let rest = &end[memchr::memmem::rfind(end, KEY)? + KEY.len()..];
    let time = std::str::from_utf8(&rest[..memchr::memchr(b'"', rest)?]).ok()?;
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_microsecond()).ok()
}

/// Reads times. Most are of the same day as the one before.
#[derive(Debug, Default)]
pub(super) struct Clock {
    day: Option<([u8; 10], u64)>,
}

impl Clock {
    /// In microseconds since the epoch.
    pub(super) fn read(&mut self, text: &str) -> Option<u64> {
        let bytes = text.as_bytes();
        if let (Some((day, us)), Some(rest)) = (&self.day, bytes.get(10..))
            && bytes.starts_with(day)
            && let Some(within) = within_day(rest)
        {
            return Some(us + within);
        }
        let time: jiff::Timestamp = text.parse().ok()?;
        let us = u64::try_from(time.as_microsecond()).ok()?;
        if let (Some(day), Some(within)) = (bytes.first_chunk(), within_day(bytes.get(10..)?)) {
            self.day = us.checked_sub(within).map(|begin| (*day, begin));
        }
        Some(us)
    }
}

/// `T10:00:01.500Z`, in microseconds.
fn within_day(text: &[u8]) -> Option<u64> {
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', a, b, c, b'Z'] = text else { return None };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let two = |a, b| Some(digit(a)? * 10 + digit(b)?);
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let millis = two(a, b)? * 10 + digit(c)?;
    Some((((hours * 60 + minutes) * 60 + seconds) * 1000 + millis) * 1000)
}
