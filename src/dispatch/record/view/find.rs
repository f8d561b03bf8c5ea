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
/// All but the newest together have no more lines than this, 4 bytes each.
const MAX_KEPT: usize = 2_000_000;

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

impl Kept {
    /// Keeps a newest one, and of the others as many as there is room for.
    fn keep(&mut self, wanted: Wanted, looked: usize, lines: Arc<Vec<u32>>) {
        let mut room = MAX_KEPT;
        let fits = self.0.iter().rev().take(KEPT - 1).take_while(|(_, _, lines)| {
            let fits = lines.capacity() <= room;
            room = room.saturating_sub(lines.capacity());
            fits
        });
        let over = self.0.len() - fits.count();
        self.0.drain(..over);
        self.0.push((wanted, looked, lines));
    }

    /// How much memory they take, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|(_, _, lines)| lines.capacity() * size_of::<u32>()).sum()
    }
}

impl View {
    /// Finds what is wanted. Each line is looked at once: what was found before is found, and only what has come since
    /// is looked at, for nothing that comes later makes an earlier line one of another action's.
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
        let (_, from, mut lines) = kept.unwrap_or_else(|| (wanted.clone(), 0, Arc::default()));
        if from < all {
            self.look(wanted, from, Arc::make_mut(&mut lines))?;
        }
        self.found.keep(wanted.clone(), all, lines.clone());
        Ok(Found::Some(lines))
    }

    /// The lines of the actions of a name or level, in their order and each once; so far all of one that is under way.
    pub(super) fn ranges(&self, action: &str) -> Vec<Range<usize>> {
        let named = self.actions().iter().filter(|it| it.level == action || it.name == action);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for it in named {
            let range = it.first as usize..it.last.map_or(self.len(), |last| last as usize + 1);
            match ranges.last_mut() {
                Some(before) if range.start <= before.end => {
                    before.end = before.end.max(range.end);
                }
                _ => ranges.push(range),
            }
        }
        ranges
    }

    fn look(&self, wanted: &Wanted, from: usize, found: &mut Vec<u32>) -> io::Result<()> {
        let mask = wanted.mask();
        let (since, until) = (wanted.since_ms.unwrap_or(0), wanted.until_ms.unwrap_or(u32::MAX));
        let everything = || std::iter::once(0..self.len()).collect();
        let ranges = wanted.action.as_deref().map_or_else(everything, |action| self.ranges(action));
        let is_wanted = |at: &usize| {
            let (level, ms) = (self.places[*at] >> LEVEL_SHIFT, self.times[*at]);
            mask & (1 << level) != 0 && (since..until).contains(&ms)
        };
        let new = ranges.into_iter().flat_map(|range| range.start.max(from)..range.end);
        let lines = new.filter(is_wanted);
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
