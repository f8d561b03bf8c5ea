//! Making a segment's index.

use std::io::{self, Write};

use super::super::source::Source;
use super::{Grams, MAGIC, MAX_BLOCKS, ROWS, checksum};

/// How many bytes are read at a time.
const READ: usize = 256 * 1024;
/// Rows are halved in number as long as no block has more than this part of them set: so many of
/// the blocks that lack a gram are read in vain.
const FULL: usize = 4;

/// The grams of the blocks that are not written yet.
struct Builder<W> {
    output: W,
    /// A block ends with the first line that reaches this many bytes.
    block: u64,
    /// For each block its first offset and a bit for each row.
    blocks: Vec<(u64, Vec<u64>)>,
    grams: Grams,
    folded: Grams,
    /// The offset of the next byte.
    at: u64,
    /// Where the line begins that the next byte is in.
    line: u64,
}

/// Writes the index of a segment's first `len` bytes, with blocks of `block` bytes or a little more.
///
/// # Errors
/// When the segment cannot be read or the output not be written.
pub(crate) fn build(
    source: &mut Source,
    len: u64,
    block: u64,
    output: impl Write,
) -> io::Result<()> {
    let mut builder = Builder {
        output,
        block,
        blocks: Vec::new(),
        grams: Grams::default(),
        folded: Grams::default(),
        at: 0,
        line: 0,
    };
    builder.numbers(&[MAGIC, len])?;
    while builder.at < len {
        let bytes = source.read(builder.at, (len - builder.at).min(READ as u64) as usize)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        builder.push(&bytes)?;
    }
    let end = builder.line;
    // The last line has not ended: it belongs to no block.
    if builder.blocks.last().is_some_and(|(start, _)| *start == end) {
        builder.blocks.pop();
    }
    builder.group(end)?;
    builder.output.flush()
}

impl<W: Write> Builder<W> {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begin_block()?;
            let Some((_, rows)) = self.blocks.last_mut() else { continue };
            for byte in line.strip_suffix(b"\n").unwrap_or(line) {
                let (three, four) = self.grams.push(*byte);
                set(rows, three);
                set(rows, four);
                let (three, four) = self.folded.push(byte.to_ascii_lowercase());
                if self.folded.last != self.grams.last {
                    set(rows, three);
                    set(rows, four);
                }
            }
            self.at += line.len() as u64;
            if line.ends_with(b"\n") {
                (self.grams, self.folded) = (Grams::default(), Grams::default());
                self.line = self.at;
            }
        }
        Ok(())
    }

    /// Begins a block where a line begins and the last block is full.
    fn begin_block(&mut self) -> io::Result<()> {
        let full = self.blocks.last().is_none_or(|(start, _)| self.at - start >= self.block);
        if self.at != self.line || !full {
            return Ok(());
        }
        if self.blocks.len() == MAX_BLOCKS {
            self.group(self.at)?;
        }
        self.blocks.push((self.at, vec![0; 1 << (ROWS.end() - 6)]));
        Ok(())
    }

    /// Writes the blocks, the last of which ends at `to`.
    fn group(&mut self, to: u64) -> io::Result<()> {
        let blocks = std::mem::take(&mut self.blocks);
        let Some((from, _)) = blocks.first() else { return Ok(()) };
        let (starts, mut bits): (Vec<u64>, Vec<Vec<u64>>) = blocks.iter().cloned().unzip();
        let mut rows = *ROWS.end();
        while rows > *ROWS.start() && bits.iter().all(|bits| ones(bits) * FULL * 2 <= 1 << rows) {
            bits.iter_mut().for_each(|bits| *bits = halved(bits));
            rows -= 1;
        }
        let mut head = vec![starts.len() as u64, rows.into(), *from, to];
        head.extend(starts);
        head.push(checksum(&head));
        self.numbers(&head)?;
        self.output.write_all(&transposed(&bits, 1 << rows))
    }

    fn numbers(&mut self, numbers: &[u64]) -> io::Result<()> {
        numbers.iter().try_for_each(|number| self.output.write_all(&number.to_le_bytes()))
    }
}

fn set(rows: &mut [u64], row: Option<u32>) {
    if let Some(row) = row {
        rows[row as usize / 64] |= 1 << (row % 64);
    }
}

fn ones(bits: &[u64]) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

/// Each two rows in one.
fn halved(bits: &[u64]) -> Vec<u64> {
    let half = |word: u64| {
        let either = word | word >> 1;
        (0..32).fold(0, |half, bit| half | (either >> (2 * bit) & 1) << bit)
    };
    bits.chunks(2).map(|two| half(two[0]) | half(two.get(1).copied().unwrap_or(0)) << 32).collect()
}

/// A bit for each block in each row, from a bit for each row in each block.
fn transposed(blocks: &[Vec<u64>], rows: usize) -> Vec<u8> {
    let width = blocks.len().div_ceil(8);
    let mut table = vec![0; rows * width];
    for (block, bits) in blocks.iter().enumerate() {
        for (word_at, word) in bits.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                let row = word_at * 64 + word.trailing_zeros() as usize;
                table[row * width + block / 8] |= 1 << (block % 8);
                word &= word - 1;
            }
        }
    }
    table
}
