//! Files of this host: those of which nobody wants a checksum are copied by the kernel, which on some file systems
//! (XFS, Btrfs) costs no room and no time.

use std::io::{self, Read as _};
use std::path::Path;

use super::{FetchError, Sink, Wanted};

/// So much is copied at a time, in bytes: whoever watches sees it grow, and nobody waits long for its end.
const PIECE: u64 = 64 << 20;

impl Sink<'_> {
    /// Takes in a file of this host, which is open.
    pub(super) async fn copy_local(
        &mut self,
        path: &Path,
        source: tokio::fs::File,
        wanted: &Wanted<'_>,
    ) -> Result<(), FetchError> {
        if wanted.digest.is_some() {
            return self.copy(path, source).await;
        }
        let on_source = |error| FetchError::File { path: path.to_owned(), error };
        let source = source.into_std().await;
        let total = source.metadata().map_err(on_source)?.len();
        let to = self.file.try_clone().await.map_err(self.on_file())?.into_std().await;
        loop {
            let (from, to) = (source.try_clone(), to.try_clone());
            let piece = move || io::copy(&mut from?.take(PIECE), &mut to?);
            let copied = tokio::task::spawn_blocking(piece).await;
            let copied = copied.unwrap_or_else(|error| Err(io::Error::other(error)));
            match copied.map_err(on_source)? {
                0 => return Ok(()),
                copied => self.length += copied,
            }
            (self.told)(self.length, Some(total));
        }
    }
}
