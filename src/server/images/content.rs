//! What is in an image.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use sha2::Digest as _;

use super::{ImageError, Images};
use crate::model::Sha256;
use crate::store::Pieces;

/// A file, and some or all of what is in it.
pub struct Content {
    pub sha256: Sha256,
    /// Of all of it, in bytes.
    pub size: u64,
    pub pieces: BoxStream<'static, Result<Bytes, ImageError>>,
}

/// A file that is read from its beginning to its end.
struct Whole {
    pieces: Pieces,
    hash: sha2::Sha256,
    wanted: Sha256,
    /// It is only given when the next one has come, or all of it was right.
    held: Option<Bytes>,
    damaged: Damaged,
}

/// The files that were not what they should be when they were read last. The next server finds them again.
#[derive(Debug, Clone, Default)]
pub(super) struct Damaged(Arc<Mutex<HashSet<Sha256>>>);

impl Images {
    /// Which file an image is, by its name or by its hash, and its size in bytes.
    ///
    /// # Errors
    /// [`ImageError::NoImage`].
    pub async fn find(&self, name: &str) -> Result<(Sha256, u64), ImageError> {
        if let Ok(hash) = name.parse::<Sha256>()
            && let Some(size) = self.0.objects.size(&hash).await?
        {
            return Ok((hash, size));
        }
        self.get(name).await.map(|image| (image.sha256, image.size))
    }

    /// Reads a file, or a part of it. One that is read whole is checked: if it is not what it was, the last
    /// of it does not come.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn read(
        &self,
        sha256: Sha256,
        size: u64,
        range: Range<u64>,
    ) -> Result<Content, ImageError> {
        let whole = range == (0..size);
        let pieces = self.0.objects.read(&sha256, range).await?;
        if !whole {
            let pieces = pieces.map(|piece| piece.map_err(ImageError::from)).boxed();
            return Ok(Content { sha256, size, pieces });
        }
        let hash = sha2::Sha256::new();
        let damaged = self.0.damaged.clone();
        let whole = Whole { pieces, hash, wanted: sha256.clone(), held: None, damaged };
        let pieces = stream::try_unfold(whole, Whole::next).boxed();
        Ok(Content { sha256, size, pieces })
    }
}

impl Whole {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ImageError> {
        loop {
            let Some(piece) = self.pieces.next().await.transpose()? else { break };
            self.hash.update(&piece);
            if let Some(before) = self.held.replace(piece) {
                return Ok(Some((before, self)));
            }
        }
        let Some(last) = self.held.take() else { return Ok(None) };
        let got = Sha256::of(&self.hash.clone().finalize().into());
        if got != self.wanted {
            tracing::error!(
                sha256 = %self.wanted, %got,
                "a stored image is damaged; `lava image put` of the same file replaces it"
            );
            self.damaged.note(&self.wanted);
            return Err(ImageError::Differs { wanted: self.wanted, got });
        }
        self.damaged.forget(&self.wanted);
        // Nothing follows: the stream that was read has ended.
        self.pieces = stream::empty().boxed();
        Ok(Some((last, self)))
    }
}

impl Damaged {
    pub(super) fn has(&self, file: &Sha256) -> bool {
        self.all().contains(file)
    }

    /// It is replaced, or gone.
    pub(super) fn forget(&self, file: &Sha256) {
        self.all().remove(file);
    }

    fn note(&self, file: &Sha256) {
        self.all().insert(file.clone());
    }

    fn all(&self) -> MutexGuard<'_, HashSet<Sha256>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}
