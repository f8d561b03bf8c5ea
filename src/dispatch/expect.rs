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
/// The most bytes that are kept without a match; older ones are let go after they were searched.
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
    patterns: Vec<Regex>,
    /// No other list has it.
    id: u64,
    /// Only the first so many are told when they are waited for in vain.
    told: usize,
    /// From this one on a match counts only when the board waits behind it.
    settled: usize,
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
        let compiled = patterns.into_iter().map(|pattern| compile(pattern.as_ref()));
        let patterns = compiled.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { told: patterns.len(), settled: usize::MAX, patterns, id: next_id() })
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
        let found = |pattern: &Regex| {
            let found = pattern.find(text).ok().flatten()?;
            Some(text[found.range()].to_owned())
        };
        self.patterns.iter().find_map(found)
    }

    /// The named groups of a match and what they have matched.
    pub fn named<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.patterns.get(found.index).map(Regex::capture_names);
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
            self.patterns[..self.told].iter().map(|p| format!("{:?}", p.as_str())).collect();
        texts.join(" or ")
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&python::translated(pattern))
        .bytes_mode(BytesMode::UnicodeBytes)
        .backtrack_limit(BACKTRACK_LIMIT)
        .build()
        .map_err(|error| format!("{pattern:?} is no regular expression: {error}"))
}

impl Window {
    pub fn push(&mut self, place: Place, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.pieces.push_back((self.held.len(), place));
        self.held.extend_from_slice(bytes);
        if self.held.len() > MAX_HELD {
            // Nobody may be looking for anything.
            self.consume(self.held.len() - MAX_HELD / 2);
        }
    }

    /// Lets go of all that is held.
    pub fn forget(&mut self) {
        self.consume(self.held.len());
        self.searched = 0;
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
            let found = pattern.find_from_pos(held, from).or_else(|_| {
                if !self.too_hard.iter().any(|known| known == pattern.as_str()) {
                    self.too_hard.push(pattern.as_str().to_owned());
                }
                // What is waited for is most often what came last.
                pattern.find_from_pos(held, from.max(held.len().saturating_sub(TAIL)))
            });
            let found = found.ok().flatten().filter(|found| found.end() > found.start());
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
        let groups = match patterns.patterns[index].captures_from_pos(held, start) {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(offset: u64) -> Place {
        Place { offset: Some(offset), time_us: offset * 10 }
    }

    fn window(text: &[u8]) -> Window {
        let mut window = Window::default();
        window.push(at(0), text);
        window
    }

    #[test]
    fn the_first_match_in_the_stream_wins_and_is_consumed() {
        let patterns = Patterns::new(["login:", "# ", "=> "]).unwrap();
        let mut window = window(b"U-Boot\r\n=> board login: # ");
        let order: Vec<usize> =
            std::iter::from_fn(|| window.find(&patterns)).map(|found| found.index).collect();
        assert_eq!(order, [2, 0, 1]);
    }

    #[test]
    fn a_match_has_the_consoles_own_offset_and_time() {
        let patterns = Patterns::new(["=> "]).unwrap();
        let mut window = window(b"abc");
        window.push(at(3), b"def=> ");
        let found = window.find(&patterns).unwrap();
        assert_eq!(found.place, Place { offset: Some(6), time_us: 30 });
        assert_eq!(found.before, "abcdef");
    }

    #[test]
    fn look_around_and_groups_and_broken_utf8_are_no_trouble() {
        let patterns = Patterns::new([r"(?<!no )panic (\d+)"]).unwrap();
        let mut window = window(b"\xff\xfeno panic 1 panic 23 ");
        let found = window.find(&patterns).unwrap();
        assert_eq!(found.groups, ["panic 23", "23"]);
    }

    #[test]
    fn a_pattern_that_is_too_much_work_is_told_and_still_finds_what_came_last() {
        let hard = r"(?:(a+)+\1b)|login:";
        let patterns = Patterns::new([hard]).unwrap();
        let mut window =
            window(&[b"a".repeat(5000), b"\r\n".repeat(TAIL), b"login:".into()].concat());
        assert_eq!(
            window.find(&patterns).map(|found| found.groups[0].clone()),
            Some("login:".into())
        );
        assert_eq!((window.too_hard().as_deref(), window.too_hard()), (Some(hard), None));
    }

    #[test]
    fn a_flood_is_searched_whole_and_held_in_bounds() {
        let patterns = Patterns::new(["MARK END"]).unwrap();
        let mut window = Window::default();
        for piece in 0..5_000_u64 {
            let bytes = if piece == 3_333 { [b'x'; 400].as_slice() } else { &[b'y'; 997] };
            window.push(at(piece), bytes);
            assert_eq!(window.find(&patterns), None);
        }
        assert!(window.held.len() <= MAX_HELD);
        window.push(at(9), b"MARK E");
        assert_eq!(window.find(&patterns), None);
        window.push(at(15), b"ND");
        assert!(window.find(&patterns).is_some());
    }

    #[test]
    fn what_was_let_go_still_counts_in_the_position() {
        let patterns = Patterns::new(["=> "]).unwrap();
        let mut window = window(b"abc");
        window.forget();
        window.push(at(3), b"def=> => ");
        let positions = [window.find(&patterns), window.find(&patterns)];
        assert_eq!(positions.map(|found| found.unwrap().position), [6, 9]);
    }

    #[test]
    fn what_only_controls_a_terminal_is_no_text() {
        for (held, text) in
            [(&b"\r\n \x1b[6n\x1b[0;1m"[..], false), (b"", false), (b"\x1b[", false), (b" x", true)]
        {
            assert_eq!(window(held).has_text(), text, "{held:?}");
        }
    }

    #[test]
    fn the_last_line_is_what_a_person_would_point_at() {
        assert_eq!(window(b"a\r\nStarting kernel ...\r\n\r\n").last_line(), "Starting kernel ...");
    }

    proptest! {
        #[test]
        fn a_marker_is_found_wherever_the_stream_is_cut(
            cuts in proptest::collection::vec(0_usize..9_000, 0..40), at_byte in 0_usize..8_900,
        ) {
            let mut stream = vec![b'.'; 9_000];
            stream[at_byte..at_byte + 8].copy_from_slice(b"<MARKER>");
            let mut cuts = cuts;
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let patterns = Patterns::new(["<MARKER>"]).unwrap();
            let mut window = Window::default();
            let mut found = None;
            for pair in cuts.windows(2) {
                window.push(at(pair[0] as u64), &stream[pair[0]..pair[1]]);
                found = found.or_else(|| window.find(&patterns));
            }
            prop_assert_eq!(found.unwrap().place.offset, Some(at_byte as u64));
        }
    }
}
