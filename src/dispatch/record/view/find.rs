//! Which lines of a log one wants, and where they are.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::line::{LEVELS, message};
use super::{BLOCK, LEVEL_SHIFT, MAX_LINE, View};
use crate::wire::pattern::{Pattern, PatternError};

/// So many findings are kept of a log: one who reads changes what they want, and goes back.
const KEPT: usize = 4;

/// What lines must have; what is empty or `None` is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// LAVA's levels.
    pub levels: Vec<String>,
    /// Who said it: `target`, `input`, `dispatcher`.
    pub sources: Vec<String>,
    /// An action by its name or level; those in it count, too.
    pub action: Option<String>,
    /// A regular expression; in small letters it finds capitals, too.
    pub grep: Option<String>,
    /// In milliseconds after the log's begin.
    pub since_ms: Option<u32>,
    pub until_ms: Option<u32>,
}

/// The lines that were found.
#[derive(Debug, Clone)]
pub enum Found {
    /// All, so many.
    All(u32),
    /// These.
    Some(Arc<Vec<u32>>),
}

/// Findings, the newest last, each with how many lines were looked through.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<(Wanted, usize, Arc<Vec<u32>>)>);

impl Wanted {
    fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The levels that are wanted, a bit for each.
    fn mask(&self) -> u16 {
        let bit = |level: &&str| 1 << LEVELS.iter().position(|it| it == level).unwrap_or(0);
        let of = |wanted: &dyn Fn(&str) -> bool| {
            LEVELS.iter().filter(|level| wanted(level)).map(&bit).sum::<u16>()
        };
        let by_level =
            of(&|level| self.levels.is_empty() || self.levels.iter().any(|it| it == level));
        let by_source = of(&|level| {
            self.sources.is_empty() || self.sources.iter().any(|it| it == source(level))
        });
        by_level & by_source
    }

    fn pattern(&self) -> Result<Option<Pattern>, PatternError> {
        let Some(text) = &self.grep else { return Ok(None) };
        let ignore_case = !text.chars().any(char::is_uppercase);
        Pattern::new(text, ignore_case).map(Some)
    }

    /// # Errors
    /// When the expression is none.
    pub fn check(&self) -> Result<(), PatternError> {
        self.pattern().map(|_| ())
    }
}

/// Who says what has this level.
fn source(level: &str) -> &'static str {
    match level {
        "target" | "feedback" => "target",
        "input" => "input",
        _ => "dispatcher",
    }
}

impl Found {
    pub fn len(&self) -> usize {
        match self {
            Self::All(lines) => *lines as usize,
            Self::Some(lines) => lines.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a line is among them, or the next that is.
    pub fn position(&self, line: u32) -> usize {
        match self {
            Self::All(lines) => line.min(*lines) as usize,
            Self::Some(lines) => lines.partition_point(|found| *found < line),
        }
    }

    /// Some of them.
    pub fn part(&self, range: Range<usize>) -> Vec<u32> {
        let range = range.start.min(self.len())..range.end.min(self.len());
        match self {
            Self::All(_) => range.map(|line| line as u32).collect(),
            Self::Some(lines) => lines[range].to_vec(),
        }
    }
}

impl View {
    /// Finds what is wanted. What was found before is not looked for again.
    ///
    /// # Errors
    /// Why the file cannot be read; an expression that is none finds nothing.
    pub fn find(&mut self, wanted: &Wanted) -> io::Result<Found> {
        let all = self.len();
        if wanted.is_all() {
            return Ok(Found::All(all as u32));
        }
        let kept = self.found.0.iter().position(|(kept, _, _)| kept == wanted);
        let kept = kept.map(|at| self.found.0.remove(at));
        let (_, mut from, mut lines) = kept.unwrap_or_else(|| (wanted.clone(), 0, Arc::default()));
        if from < all || self.is_open(wanted) {
            // What of an action that is under way was left out is looked at again.
            from = if self.is_open(wanted) { 0 } else { from };
            let known = Arc::make_mut(&mut lines);
            known.truncate(known.partition_point(|line| (*line as usize) < from));
            self.look(wanted, from, known)?;
        }
        self.found.0.push((wanted.clone(), all, lines.clone()));
        let over = self.found.0.len().saturating_sub(KEPT);
        self.found.0.drain(..over);
        Ok(Found::Some(lines))
    }

    /// Whether what is wanted may be more lines of those that are there.
    fn is_open(&self, wanted: &Wanted) -> bool {
        let of = |action: &str| self.ranges(action).iter().any(|range| range.end > self.len());
        wanted.action.as_deref().is_some_and(of)
    }

    /// The lines of the actions of a name or level; behind the end while it is under way.
    fn ranges(&self, action: &str) -> Vec<Range<usize>> {
        let named = self.actions().iter().filter(|it| it.level == action || it.name == action);
        let range = |it: &super::Action| {
            it.first as usize..it.last.map_or(usize::MAX, |last| last as usize + 1)
        };
        named.map(range).collect()
    }

    fn look(&self, wanted: &Wanted, from: usize, found: &mut Vec<u32>) -> io::Result<()> {
        let mask = wanted.mask();
        let (since, until) = (wanted.since_ms.unwrap_or(0), wanted.until_ms.unwrap_or(u32::MAX));
        let ranges = wanted.action.as_deref().map(|action| self.ranges(action));
        let is_wanted = |at: &usize| {
            let (level, ms) = (self.places[*at] >> LEVEL_SHIFT, self.times[*at]);
            mask & (1 << level) != 0
                && (since..until).contains(&ms)
                && ranges.as_ref().is_none_or(|them| them.iter().any(|range| range.contains(at)))
        };
        let lines = (from..self.len()).filter(is_wanted);
        let Ok(Some(pattern)) = wanted.pattern() else {
            if wanted.grep.is_none() {
                found.extend(lines.map(|line| line as u32));
            }
            return Ok(());
        };
        let file = File::open(&self.path)?;
        let mut block = Block::default();
        for line in lines {
            let text = block.line(self, &file, line)?;
            if pattern.matches(message(text).as_bytes()) {
                found.push(line as u32);
            }
        }
        Ok(())
    }
}

/// A piece of the file, which is read on when a line is not in it.
#[derive(Default)]
struct Block {
    begin: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn line(&mut self, view: &View, file: &File, at: usize) -> io::Result<&[u8]> {
        use std::os::unix::fs::FileExt as _;
        let (begin, end) = (view.place(at), view.place(at + 1));
        let end = end.min(begin + MAX_LINE as u64);
        if begin < self.begin || end > self.begin + self.bytes.len() as u64 {
            let length = (view.length - begin).min((BLOCK as u64).max(end - begin));
            self.bytes.resize(length as usize, 0);
            file.read_exact_at(&mut self.bytes, begin)?;
            self.begin = begin;
        }
        Ok(&self.bytes[(begin - self.begin) as usize..(end - self.begin) as usize])
    }
}
