//! Which pieces of a segment can have a text: the index that makes searching quick.
//!
//! A segment is divided into *blocks* of whole lines, 256 KiB or a little more each. A text of `n`
//! bytes consists of overlapping *grams* of three and of four bytes; a block that lacks one of them
//! lacks the text. A table tells for each gram in which blocks it is: a gram is hashed to a row of the
//! table, and a row has a bit for each block. Other grams are hashed to the same row, so a set bit
//! says "perhaps", a clear one "certainly not". Grams with capitals are there in lower case, too, so
//! that case can be ignored.
//!
//! To look a text up takes reading a row of at most 32 bytes for each of its grams, and says for
//! 64 MiB at once which blocks have to be read. The file has up to 6 % of the size of the bytes:
//!
//! ```text
//! "LAVAGRM1", the number of bytes that were indexed        all numbers are u64, little-endian
//! for each group of up to 256 blocks:
//!   blocks, log2 of the rows, from, to                     offsets within the segment
//!   the first offset of each block, a line's beginning     the first is `from`
//!   a checksum of these
//!   the rows, each of as many bytes as the blocks' bits take; bit 0 is the first block's
//! ```
//! A line belongs to the block that it begins in. The last line has no end yet: `to` of the last
//! group is where it begins, and what comes from there on is always read.

mod build;
mod lookup;

pub(super) use build::build;
pub(super) use lookup::Index;

const MAGIC: u64 = u64::from_be_bytes(*b"LAVAGRM1");
/// How many bytes a block has, or a little more.
pub(super) const BLOCK: u64 = 256 * 1024;
/// The most blocks of a group.
const MAX_BLOCKS: usize = 256;
/// The most and the fewest rows of a table, as powers of two.
const ROWS: std::ops::RangeInclusive<u32> = 10..=17;
/// The numbers of a group's head: blocks, rows, from, to.
const HEAD: usize = 4;

/// The grams that end with the newest byte of some text.
#[derive(Debug, Clone, Copy, Default)]
struct Grams {
    /// The last four bytes.
    last: u32,
    /// How many bytes there have been.
    seen: usize,
}

impl Grams {
    /// The row of the gram of three bytes and of that of four, in a table of the most rows.
    fn push(&mut self, byte: u8) -> (Option<u32>, Option<u32>) {
        self.last = self.last << 8 | u32::from(byte);
        self.seen = (self.seen + 1).min(4);
        let three = (self.seen >= 3).then(|| row(self.last & 0x00ff_ffff, 0x9e37_79b1));
        let four = (self.seen >= 4).then(|| row(self.last, 0x85eb_ca6b));
        (three, four)
    }
}

/// The upper bits of a product depend on all bits of its factors; and the row in a table of half
/// the size is half of it.
fn row(gram: u32, factor: u32) -> u32 {
    gram.wrapping_mul(factor) >> (32 - ROWS.end())
}

/// FNV-1a over 64 bits.
fn checksum(numbers: &[u64]) -> u64 {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
