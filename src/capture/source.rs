//! The bytes of one segment, whether it is compressed or not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use zeekstd::SeekTable;
use zstd_safe::DCtx;

/// The largest zstd frame that is read, in bytes, compressed or not. Ours are much smaller.
const MAX_FRAME: u64 = 16 * 1024 * 1024;
/// What a seek table has beside its entries: the head of its frame, and its foot.
const TABLE_ENDS: u64 = 17;
const TABLE_FOOT: u64 = 9;
/// The bit of the foot's fifth byte that says that entries have checksums.
const TABLE_CHECKSUMS: u8 = 1 << 7;

/// The bytes of one segment.
pub(super) enum Source {
    Raw(File),
    Compressed(Box<Frames>),
}

/// A file in zstd's seekable format. It is read a whole frame at a time, so that a frame's checksum
/// speaks for every byte that is given out.
pub(super) struct Frames {
    file: File,
    table: SeekTable,
    decompressor: DCtx<'static>,
    /// The frame that was read last.
    last: Option<(u32, Bytes)>,
}

impl Source {
    /// Opens the first of two files that is there: it may be compressed at this very moment.
    pub(super) fn open(raw: &Path, compressed: &Path) -> io::Result<Self> {
        match File::open(raw) {
            Ok(file) => Ok(Self::Raw(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Frames::open(compressed).map(|frames| Self::Compressed(Box::new(frames)))
            }
            Err(error) => Err(error),
        }
    }

    /// At most `len` bytes from `at` on, counted from the beginning of the segment; fewer at the end
    /// of a frame or of the segment, where there are none.
    pub(super) fn read(&mut self, at: u64, len: usize) -> io::Result<Bytes> {
        match self {
            Self::Raw(file) => read_at(file, at, len),
            Self::Compressed(frames) => frames.read(at, len),
        }
    }

    /// Where the piece of the segment ends that a damage at `at` takes with it; `None` when that is
    /// all of the rest.
    pub(super) fn damage_end(&self, at: u64) -> Option<u64> {
        match self {
            Self::Raw(_) => None,
            Self::Compressed(frames) => {
                let end = frames.table.frame_end_decomp(frames.table.frame_index_decomp(at));
                end.ok().filter(|end| *end > at)
            }
        }
    }
}

impl Frames {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let table = seek_table(&file)?;
        let decompressor = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { file, table, decompressor, last: None })
    }

    fn read(&mut self, at: u64, len: usize) -> io::Result<Bytes> {
        if at >= self.table.size_decomp() {
            return Ok(Bytes::new());
        }
        let index = self.table.frame_index_decomp(at);
        let start = self.table.frame_start_decomp(index).map_err(io::Error::other)?;
        let frame = match &self.last {
            Some((last, frame)) if *last == index => frame.clone(),
            _ => self.decompress(index)?,
        };
        let skip = at.checked_sub(start).filter(|skip| *skip < frame.len() as u64);
        let skip = skip.ok_or_else(|| damaged("its seek table is wrong"))? as usize;
        Ok(frame.slice(skip..frame.len().min(skip.saturating_add(len))))
    }

    fn decompress(&mut self, index: u32) -> io::Result<Bytes> {
        let at = self.table.frame_start_comp(index).map_err(io::Error::other)?;
        let size = |size: zeekstd::Result<u64>| match size {
            Ok(size) if size <= MAX_FRAME => Ok(size as usize),
            Ok(size) => Err(damaged(&format!("a frame of {size} bytes is too large"))),
            Err(error) => Err(io::Error::other(error)),
        };
        let (from, to) =
            (size(self.table.frame_size_comp(index))?, size(self.table.frame_size_decomp(index))?);
        let mut compressed = vec![0; from];
        self.file.read_exact_at(&mut compressed, at)?;
        let mut frame = vec![0; to];
        let written = self.decompressor.decompress(&mut frame[..], &compressed);
        match written {
            Ok(written) if written == to => {}
            Ok(written) => return Err(damaged(&format!("a frame has {written} of {to} bytes"))),
            Err(code) => return Err(damaged(zstd_safe::get_error_name(code))),
        }
        let frame = Bytes::from(frame);
        self.last = Some((index, frame.clone()));
        Ok(frame)
    }
}

/// The number of bytes in a compressed segment.
pub(super) fn decompressed_len(path: &Path) -> io::Result<u64> {
    Ok(seek_table(&File::open(path)?)?.size_decomp())
}

/// The seek table at the end of a file. What its foot promises is compared with the file's size
/// first, so that a damaged one costs no memory.
fn seek_table(file: &File) -> io::Result<SeekTable> {
    let len = file.metadata()?.len();
    let mut foot = [0; TABLE_FOOT as usize];
    let at = len.checked_sub(TABLE_FOOT).ok_or(io::ErrorKind::UnexpectedEof)?;
    file.read_exact_at(&mut foot, at)?;
    let frames = u64::from(u32::from_le_bytes([foot[0], foot[1], foot[2], foot[3]]));
    let entry = if foot[4] & TABLE_CHECKSUMS == 0 { 8 } else { 12 };
    if frames * entry + TABLE_ENDS > len {
        return Err(damaged("its seek table does not fit into it"));
    }
    SeekTable::from_seekable(&mut &*file).map_err(io::Error::other)
}

fn damaged(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged: {how}"))
}

/// Reads until `len` bytes are there or the file ends.
fn read_at(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer.into())
}
