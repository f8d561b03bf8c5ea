//! Finding prompts in the byte stream of a console.
//!
//! Bytes are kept from the last match on, each piece with its offset and time, so that a match is told
//! with the console's own place. A search goes on where the last one ended, less [`MAX_MATCH`]: a
//! match is found wherever the pieces were cut, and the cost of waiting stays linear.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use fancy_regex::{BytesMode, Regex, RegexBuilder};

use super::python;

/// The longest match in bytes that is surely found when it comes in pieces.
pub const MAX_MATCH: usize = 4096;
/// The most bytes that are kept without a match; of more the older ones are let go. Who waits for something has
/// searched them by then, since that is done with each piece.
pub const MAX_HELD: usize = 1024 * 1024;
/// Where a pattern is too much work for all that is held, it is looked for in so many bytes at the end.
const TAIL: usize = 256;
/// How much work one search may do before it is given up: job files are hostile input.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// A piece of the stream. `offset` is `None` on connections that have no absolute offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub offset: Option<u64>,
    /// Microseconds since the Unix epoch.
    pub time_us: u64,
}

/// Patterns that are searched together; the one that matches first in the stream wins, and of those
/// that match at the same byte the first in the list.
#[derive(Debug, Clone)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    /// No other list has it.
    id: u64,
    /// Only the first so many are told when they are waited for in vain.
    told: usize,
    /// From this one on a match counts only when the board waits behind it.
    settled: usize,
}

#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    /// Matches wherever `regex` does, in a fraction of the time.
    candidate: Option<regex::bytes::Regex>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which pattern.
    pub index: usize,
    /// How many bytes of the stream came before the match.
    pub position: u64,
    /// Where the match begins.
    pub place: Place,
    /// The match and its groups; not UTF-8 is replaced.
    pub groups: Vec<String>,
    /// The bytes between the last match and this one.
    pub before: String,
}

/// The unmatched part of the stream.
#[derive(Debug, Default)]
pub struct Window {
    held: Vec<u8>,
    /// How many bytes came before `held`.
    gone: u64,
    /// Where each piece begins in `held`, and its place.
    pieces: VecDeque<(usize, Place)>,
    /// `held[..searched]` has no match of these patterns, save one that is not complete.
    searched: usize,
    /// The patterns that were too much work, and how many of them have been told.
    too_hard: Vec<String>,
    told: usize,
    /// Which patterns that is said of.
    patterns: u64,
    /// For each of them, up to which byte of the stream no match begins, as far as that is known.
    clear: Vec<u64>,
}

impl Patterns {
    /// Compiles regular expressions.
    ///
    /// # Errors
    /// The pattern and what is wrong with it.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let compiled = patterns.into_iter().map(|pattern| Pattern::new(pattern.as_ref()));
        let patterns = compiled.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { told: patterns.len(), settled: usize::MAX, patterns, id: next_id() })
    }

    /// `pattern` is looked for as well, but is not what is waited for. `candidate` has to match wherever it
    /// does: it is the same without its look-around, which costs a step for each byte of the stream. It is
    /// not used when it has look-around left.
    ///
    /// # Errors
    /// As [`Patterns::new`].
    pub fn and_where(mut self, pattern: &str, candidate: &str) -> Result<Self, String> {
        let mut pattern = Pattern::new(pattern)?;
        pattern.candidate = regex::bytes::Regex::new(&python::translated(candidate)).ok();
        self.patterns.push(pattern);
        self.id = next_id();
        Ok(self)
    }

    /// These are looked for as well, but are not what is waited for.
    ///
    /// # Errors
    /// As [`Patterns::new`].
    pub fn and<S: AsRef<str>>(mut self, more: impl IntoIterator<Item = S>) -> Result<Self, String> {
        self.patterns.extend(Self::new(more)?.patterns);
        self.id = next_id();
        Ok(self)
    }

    /// These are looked for as well, and count where the board waits behind them for somebody to type:
    /// what is like a prompt is often found within a board's chatter.
    ///
    /// # Errors
    /// As [`Patterns::new`].
    pub fn or_at_rest<S: AsRef<str>>(
        mut self,
        more: impl IntoIterator<Item = S>,
    ) -> Result<Self, String> {
        self.settled = self.settled.min(self.patterns.len());
        self.and(more)
    }

    /// Whether a match of this pattern counts only when nothing follows it.
    pub fn is_at_rest(&self, index: usize) -> bool {
        index >= self.settled
    }

    /// The first match in a text.
    pub fn first_in(&self, text: &str) -> Option<String> {
        let found = |pattern: &Pattern| {
            let found = pattern.regex.find(text).ok().flatten()?;
            Some(text[found.range()].to_owned())
        };
        self.patterns.iter().find_map(found)
    }

    /// The named groups of a match and what they have matched.
    pub fn named<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.patterns.get(found.index).map(|pattern| pattern.regex.capture_names());
        let named = names.into_iter().flatten().zip(&found.groups);
        named.filter_map(|(name, text)| Some((name?, text.as_str())))
    }

    /// The text itself, whatever signs are in it.
    ///
    /// # Errors
    /// Never for texts of a sensible length.
    pub fn literal(text: &str) -> Result<Self, String> {
        Self::new([fancy_regex::escape(text)])
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The patterns' texts, for messages.
    pub fn describe(&self) -> String {
        let texts: Vec<String> =
            self.patterns[..self.told].iter().map(|p| format!("{:?}", p.regex.as_str())).collect();
        texts.join(" or ")
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(&python::translated(pattern))
            .bytes_mode(BytesMode::UnicodeBytes)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map_err(|error| format!("{pattern:?} is no regular expression: {error}"))?;
        Ok(Self { regex, candidate: None })
    }

    /// From where on a match may begin.
    fn may_begin(&self, held: &[u8], from: usize) -> Option<usize> {
        match &self.candidate {
            Some(candidate) => candidate.find_at(held, from).map(|found| found.start()),
            None => Some(from),
        }
    }
}

impl Window {
    pub fn push(&mut self, place: Place, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.pieces.push_back((self.held.len(), place));
        self.held.extend_from_slice(bytes);
        if self.held.len() > MAX_HELD {
            self.consume(self.held.len() - MAX_HELD / 2);
        }
    }

    /// Lets go of all that is held.
    pub fn forget(&mut self) {
        self.consume(self.held.len());
        self.searched = 0;
    }

    /// What is held, which is somebody else's from now on.
    pub fn take(&mut self) -> Vec<u8> {
        let held = self.held.clone();
        self.forget();
        held
    }

    /// Whether anything is held that is seen on a screen: more than spaces, line ends and what controls
    /// a terminal.
    pub fn has_text(&self) -> bool {
        let mut rest = self.held.as_slice();
        while let [byte, after @ ..] = rest {
            rest = match (byte, after) {
                (0x1b, [b'[', parameters @ ..]) => {
                    let end = parameters.iter().position(|byte| (0x40..=0x7e).contains(byte));
                    end.map_or(&[][..], |end| &parameters[end + 1..])
                }
                (0..=b' ' | 0x7f, _) => after,
                _ => return true,
            };
        }
        false
    }

    /// The first match, which is consumed together with all before it.
    pub fn find(&mut self, patterns: &Patterns) -> Option<Found> {
        if self.patterns != patterns.id {
            // Others: what is held is searched anew.
            (self.patterns, self.searched) = (patterns.id, 0);
            self.clear = vec![0; patterns.patterns.len()];
        }
        let from = self.searched.saturating_sub(MAX_MATCH);
        let held = self.held.as_slice();
        let mut first: Option<(usize, usize, usize)> = None;
        for (index, pattern) in patterns.patterns.iter().enumerate() {
            // Where no match begins, as far as that is known of this one.
            let clear = usize::try_from(self.clear[index].saturating_sub(self.gone));
            let from = from.max(clear.unwrap_or(0)).min(held.len());
            let regex = &pattern.regex;
            let found = pattern.may_begin(held, from).and_then(|begin| {
                let found = regex.find_from_pos(held, begin).or_else(|_| {
                    if !self.too_hard.iter().any(|known| known == regex.as_str()) {
                        self.too_hard.push(regex.as_str().to_owned());
                    }
                    // What is waited for is most often what came last.
                    regex.find_from_pos(held, begin.max(held.len().saturating_sub(TAIL)))
                });
                found.ok().flatten().filter(|found| found.end() > found.start())
            });
            // What may be the beginning of a match is looked at again.
            let clear = held.len().saturating_sub(MAX_MATCH);
            let clear = found.as_ref().map_or(clear, |found| found.start().min(clear)).max(from);
            self.clear[index] = self.gone + clear as u64;
            if let Some(found) = found
                && first.is_none_or(|(start, ..)| found.start() < start)
            {
                first = Some((found.start(), found.end(), index));
            }
        }
        self.searched = held.len();
        let (start, end, index) = first?;
        let groups = match patterns.patterns[index].regex.captures_from_pos(held, start) {
            Ok(Some(captures)) => {
                let group = |i: usize| {
                    captures.get(i).map_or(String::new(), |group| lossy(group.as_bytes()))
                };
                (0..captures.len()).map(group).collect()
            }
            _ => vec![lossy(&held[start..end])],
        };
        let found = Found {
            index,
            position: self.gone + start as u64,
            place: self.place(start),
            groups,
            before: lossy(&self.held[..start]),
        };
        self.consume(end);
        self.searched = 0;
        Some(found)
    }

    /// A pattern that was too much work to be searched for in all that came; each is told once.
    pub fn too_hard(&mut self) -> Option<String> {
        let pattern = self.too_hard.get(self.told).cloned();
        self.told += usize::from(pattern.is_some());
        pattern
    }

    /// The last line that has something on it, without escape sequences, cut to 200 characters.
    pub fn last_line(&self) -> String {
        let tail = &self.held[self.held.len().saturating_sub(MAX_MATCH)..];
        let text = String::from_utf8_lossy(tail);
        let text = plain(&text);
        let mut lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
        let line = lines.next_back().unwrap_or_default();
        line.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    fn place(&self, position: usize) -> Place {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= position);
        let Some((start, place)) = piece else { return Place { offset: None, time_us: 0 } };
        Place { offset: place.offset.map(|offset| offset + (position - start) as u64), ..*place }
    }

    fn consume(&mut self, bytes: usize) {
        let place = self.place(bytes);
        self.gone += bytes as u64;
        self.held.drain(..bytes);
        self.searched = self.searched.saturating_sub(bytes);
        self.pieces.retain(|(start, _)| *start > bytes);
        for (start, _) in &mut self.pieces {
            *start -= bytes;
        }
        if !self.held.is_empty() {
            self.pieces.push_front((0, place));
        }
    }
}

/// A text without the sequences that move a terminal's cursor, colour it or ask it where it is.
pub fn plain(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let is_end = |c: char| matches!(c, '\x40'..='\x7e');
    let after = parts.filter_map(|part| part.split_once(is_end).map(|(_, after)| after));
    Cow::Owned(std::iter::once(first).chain(after).collect())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
