//! Random bytes.

use std::fs::File;
use std::io::{self, Read as _};

/// Bytes that nobody can guess: the kernel's, by `/dev/urandom`. Units that see processes alone in `/proc`
/// (`ProcSubset=pid`) have that, too, and no `/proc/sys/kernel/random`.
///
/// # Errors
/// When it cannot be read; the error names it.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    const FILE: &str = "/dev/urandom";
    let mut bytes = [0; N];
    let read = File::open(FILE).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| io::Error::new(error.kind(), format!("{FILE}: {error}")))?;
    Ok(bytes)
}
