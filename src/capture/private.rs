//! Files that are for their owner alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// How the files of a capture are made: what a board prints and people type is for their owner alone.
pub(super) fn private() -> OpenOptions {
    let mut options = File::options();
    options.mode(0o600);
    options
}

/// The same of folders, with those above that are not there yet.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
