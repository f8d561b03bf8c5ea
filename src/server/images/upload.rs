//! Files on their way in. How far one is, is how long its part is on the disk: an upload goes on after
//! whatever broke it off, the end of this process too.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::parts::id_of;
use super::{ImageError, Images};
use crate::model::{Sha256, UploadInfo, UploadRequest};
use crate::store::FileRow;

/// Who sends nothing for so long has gone: another one may go on.
const SILENCE: Duration = Duration::from_secs(60);

/// The one who writes an upload.
pub(super) struct Turn<'a> {
    images: &'a Images,
    id: &'a str,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.images.writing().busy.remove(self.id);
    }
}

impl Images {
    /// Begins an upload, or tells how far it is. There is one for each user and file.
    ///
    /// # Errors
    /// When the user would have too much, or the disk says no.
    pub async fn begin(&self, new: UploadRequest, user: &str) -> Result<UploadInfo, ImageError> {
        let UploadRequest { size, sha256, .. } = new;
        let id = id_of(user, &sha256);
        // What is here is not removed now that it is asked for, and nobody gets the same room twice.
        let mut gate = self.0.gate.lock().await;
        self.0.removals.check(&sha256, Instant::now())?;
        if self.0.objects.size(&sha256).await? == Some(size) && !self.0.damaged.has(&sha256) {
            gate.renew(sha256.as_str());
            return Ok(UploadInfo { id, offset: size, size, sha256, done: true });
        }
        let known = self.read_upload(&id).await.map(|known| known.info);
        if let Some(known) = known.filter(|known| known.size == size) {
            return Ok(known);
        }
        let _turn = self.turn(&id)?;
        self.check_quota(&mut gate, user, (&sha256, size), None).await?;
        let upload = UploadInfo { id: id.clone(), offset: 0, size, sha256, done: false };
        self.make_upload(&upload, user).await?;
        drop(gate);
        match size {
            0 => self.finish(upload, user).await,
            _ => Ok(upload),
        }
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`ImageError::NoUpload`], also of somebody else's.
    pub async fn upload(&self, id: &str, user: &str) -> Result<UploadInfo, ImageError> {
        let known = self.read_upload(id).await.filter(|upload| upload.user == user);
        known.map(|upload| upload.info).ok_or_else(|| ImageError::NoUpload(id.to_owned()))
    }

    /// Takes the bytes from `offset` on, which has to be the next one; `length` is how many will come, if that is
    /// told. With the last of them the file is checked, and becomes one of the store. What came before `pieces`
    /// broke off stays.
    ///
    /// # Errors
    /// When it is not the next one, too many come, or the file is not what was told: then it is dropped.
    pub async fn write<E: std::fmt::Display>(
        &self,
        id: &str,
        user: &str,
        offset: u64,
        length: Option<u64>,
        pieces: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<UploadInfo, ImageError> {
        self.upload(id, user).await?;
        let _turn = self.turn(id)?;
        // It may have grown, or be another one, before it was our turn.
        let mut upload = self.upload(id, user).await?;
        if upload.offset != offset {
            return Err(ImageError::Offset(upload.offset));
        }
        if length.is_some_and(|length| length > upload.size - upload.offset) {
            return Err(ImageError::TooLong(upload.size));
        }
        let (path, mut hash) = (self.part(id), self.hash_of(&upload).await?);
        let failed = |error| ImageError::File { file: path.clone(), error };
        let mut file = File::options().append(true).open(&path).await.map_err(failed)?;
        let mut pieces = std::pin::pin!(pieces);
        let written = async {
            loop {
                let next = timeout(SILENCE, pieces.next()).await;
                let broken = |why: &dyn std::fmt::Display| {
                    ImageError::BrokenOff(format!("the upload broke off: {why}"))
                };
                let next = next.map_err(|_| broken(&format!("nothing came for {SILENCE:?}")))?;
                let Some(piece) = next else { break };
                let piece = piece.map_err(|error| broken(&error))?;
                if piece.len() as u64 > upload.size - upload.offset {
                    return Err(ImageError::TooLong(upload.size));
                }
                file.write_all(&piece).await.map_err(failed)?;
                // What could not be written is not counted.
                file.flush().await.map_err(failed)?;
                hash.update(&piece);
                upload.offset += piece.len() as u64;
            }
            Ok(())
        };
        let written = written.await;
        self.writing().hashes.insert(id.to_owned(), (upload.offset, hash));
        written?;
        match upload.offset == upload.size {
            true => self.finish(upload, user).await,
            false => Ok(upload),
        }
    }

    /// Gives up an upload.
    ///
    /// # Errors
    /// [`ImageError::NoUpload`], or [`ImageError::Busy`] while it is written.
    pub async fn give_up(&self, id: &str, user: &str) -> Result<(), ImageError> {
        let upload = self.upload(id, user).await?;
        let _turn = self.turn(id)?;
        self.drop_upload(&upload.id).await;
        Ok(())
    }

    async fn finish(&self, upload: UploadInfo, user: &str) -> Result<UploadInfo, ImageError> {
        let hash = self.hash_of(&upload).await?;
        let got = Sha256::of(&hash.finalize().into());
        if got != upload.sha256 {
            self.drop_upload(&upload.id).await;
            return Err(ImageError::Differs { wanted: upload.sha256, got });
        }
        let row =
            FileRow { sha256: upload.sha256.to_string(), size: upload.size, user: user.to_owned() };
        {
            let mut gate = self.0.gate.lock().await;
            self.0.removals.check(&upload.sha256, Instant::now())?;
            // Nor does a removal begin while it is stored.
            gate.renew(&row.sha256);
        }
        // It is known before it is there: what a crash leaves is removed like any other.
        self.0.store.put_file(&row).await?;
        self.0.objects.put(&upload.sha256, &self.part(&upload.id)).await?;
        self.0.damaged.forget(&upload.sha256);
        // It has time for a name from now on; until here the upload has kept it.
        self.0.gate.lock().await.renew(&row.sha256);
        self.drop_upload(&upload.id).await;
        Ok(UploadInfo { done: true, ..upload })
    }

    pub(super) fn turn<'a>(&'a self, id: &'a str) -> Result<Turn<'a>, ImageError> {
        match self.writing().busy.insert(id.to_owned()) {
            true => Ok(Turn { images: self, id }),
            false => Err(ImageError::Busy),
        }
    }
}
