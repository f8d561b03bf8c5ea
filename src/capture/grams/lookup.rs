//! Looking up in a segment's index.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::{Grams, HEAD, MAGIC, MAX_BLOCKS, ROWS, checksum};
use crate::wire::pattern::{Needs, Pattern};

/// So many rows say enough of one text.
const ROWS_OF_A_TEXT: usize = 16;

/// The index of one segment.
#[derive(Debug)]
pub(crate) struct Index {
    file: File,
    /// So many bytes the segment had when it was indexed.
    indexed: u64,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// The first offset of each block, and the end of the last one.
    borders: Vec<u64>,
    rows_log2: u32,
    /// Where the rows begin in the file.
    table: u64,
}

/// A set of the blocks of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks([u64; MAX_BLOCKS / 64]);

impl Index {
    /// Opens the index of a segment of `len` bytes.
    ///
    /// # Errors
    /// When it is not there, damaged, or not of this segment.
    pub(crate) fn open(path: &Path, len: u64) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let [MAGIC, indexed] = numbers(&file, 0, 2)?[..] else {
            return Err(damaged("it is no index"));
        };
        let mut groups: Vec<Group> = Vec::new();
        let mut at = 16;
        while at < size {
            let (group, end) = Group::read(&file, at, size)?;
            let from = groups.last().and_then(|group| group.borders.last()).copied().unwrap_or(0);
            let fits = group.borders.first() == Some(&from)
                && group.borders.last().is_some_and(|to| *to <= indexed.min(len));
            if !fits {
                return Err(damaged("it does not fit to its segment"));
            }
            groups.push(group);
            at = end;
        }
        Ok(Self { file, indexed, groups })
    }

    /// The number of bytes that the segment had when it was indexed.
    pub(crate) fn indexed(&self) -> u64 {
        self.indexed
    }

    /// The offset behind the last line that the index knows, within the segment.
    pub(crate) fn end(&self) -> u64 {
        self.groups.last().and_then(|group| group.borders.last()).copied().unwrap_or(0)
    }

    /// The ranges of the segment in which lines that match can begin; in order, not touching each
    /// other.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn candidates(&self, pattern: &Pattern) -> io::Result<Vec<Range<u64>>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for group in &self.groups {
            let mut blocks = Blocks::ALL;
            for (needs, _) in pattern.needs() {
                blocks = blocks.and(self.having(group, needs)?);
            }
            for (block, border) in group.borders.windows(2).enumerate() {
                match ranges.last_mut() {
                    _ if !blocks.has(block) => {}
                    Some(last) if last.end == border[0] => last.end = border[1],
                    _ => ranges.push(border[0]..border[1]),
                }
            }
        }
        Ok(ranges)
    }

    /// The blocks that can have what is needed.
    fn having(&self, group: &Group, needs: &Needs) -> io::Result<Blocks> {
        match needs {
            Needs::Nothing => Ok(Blocks::ALL),
            Needs::Text(text) => self.having_text(group, text),
            Needs::All(all) => all.iter().try_fold(Blocks::ALL, |blocks, needs| {
                if blocks == Blocks::NONE {
                    return Ok(blocks);
                }
                Ok(blocks.and(self.having(group, needs)?))
            }),
            Needs::OneOf(several) => several
                .iter()
                .try_fold(Blocks::NONE, |blocks, needs| Ok(blocks.or(self.having(group, needs)?))),
        }
    }

    fn having_text(&self, group: &Group, text: &[u8]) -> io::Result<Blocks> {
        let mut grams = Grams::default();
        let rows = text.iter().map(|byte| grams.push(*byte));
        let (threes, fours): (Vec<_>, Vec<_>) = rows.unzip();
        // Those of four bytes say more.
        let rows = fours.into_iter().chain(threes).flatten().take(ROWS_OF_A_TEXT);
        let mut blocks = Blocks::ALL;
        for row in rows {
            blocks = blocks.and(self.row(group, row >> (ROWS.end() - group.rows_log2))?);
            if blocks == Blocks::NONE {
                break;
            }
        }
        Ok(blocks)
    }

    fn row(&self, group: &Group, row: u32) -> io::Result<Blocks> {
        let mut bytes = [0; MAX_BLOCKS / 8];
        let width = group.width();
        self.file
            .read_exact_at(&mut bytes[..width], group.table + u64::from(row) * width as u64)?;
        let mut blocks = Blocks::NONE;
        for (word, bytes) in blocks.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Ok(blocks)
    }
}

impl Group {
    /// Reads the head of the group at an offset of the file, and tells where the next one begins.
    fn read(file: &File, at: u64, size: u64) -> io::Result<(Self, u64)> {
        let head = numbers(file, at, HEAD)?;
        let &[blocks, rows_log2, from, to] = &head[..] else {
            return Err(damaged("a head is cut short"));
        };
        let rows_log2 = u32::try_from(rows_log2).ok().filter(|rows| ROWS.contains(rows));
        let blocks = usize::try_from(blocks).ok().filter(|n| (1..=MAX_BLOCKS).contains(n));
        let (Some(rows_log2), Some(blocks)) = (rows_log2, blocks) else {
            return Err(damaged("a head makes no sense"));
        };
        let all = numbers(file, at, HEAD + blocks + 1)?;
        let Some((sum, head)) = all.split_last() else {
            return Err(damaged("a head is cut short"));
        };
        let mut borders = head[HEAD..].to_vec();
        borders.push(to);
        if *sum != checksum(head) || borders[0] != from || !borders.is_sorted_by(|a, b| a < b) {
            return Err(damaged("a head is wrong"));
        }
        let group = Self { borders, rows_log2, table: at + 8 * all.len() as u64 };
        let end = group.table + ((group.width() as u64) << rows_log2);
        if end > size { Err(damaged("a table is cut short")) } else { Ok((group, end)) }
    }

    /// The number of bytes of a row.
    fn width(&self) -> usize {
        (self.borders.len() - 1).div_ceil(8)
    }
}

impl Blocks {
    const NONE: Self = Self([0; MAX_BLOCKS / 64]);
    const ALL: Self = Self([u64::MAX; MAX_BLOCKS / 64]);

    fn has(self, block: usize) -> bool {
        self.0[block / 64] >> (block % 64) & 1 == 1
    }

    fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }
}

fn numbers(file: &File, at: u64, count: usize) -> io::Result<Vec<u64>> {
    let mut bytes = vec![0; 8 * count];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number)).collect())
}

fn damaged(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged: {how}"))
}
