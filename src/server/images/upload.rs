//! Files on their way in. How far one is, is how long its part is on the disk: an upload goes on after
//! whatever broke it off, the end of this process too.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::Digest as _;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{ImageError, Images};
use crate::model::{Sha256, UploadInfo, UploadRequest};

/// So much of a part is read at once, in bytes.
const PIECE: usize = 1024 * 1024;

/// The one who writes an upload.
struct Turn<'a> {
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
        if self.0.objects.size(&sha256).await? == Some(size) {
            return Ok(UploadInfo { id, offset: size, size, sha256, done: true });
        }
        if let Ok(known) = self.upload(&id, user).await
            && known.size == size
        {
            return Ok(known);
        }
        self.check_quota(user, size, 0, &sha256).await?;
        // Not while it is written.
        let _turn = self.turn(&id)?;
        let id = id.clone();
        self.writing().hashes.remove(&id);
        let upload = UploadInfo { id, offset: 0, size, sha256, done: false };
        let about = serde_json::json!({"size": size, "sha256": upload.sha256, "user": user});
        self.write_file(self.part(&upload.id), b"").await?;
        self.write_file(self.about(&upload.id), about.to_string().as_bytes()).await?;
        match size {
            0 => self.finish(upload).await,
            _ => Ok(upload),
        }
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`ImageError::NoUpload`], also of somebody else's.
    pub async fn upload(&self, id: &str, user: &str) -> Result<UploadInfo, ImageError> {
        let none = || ImageError::NoUpload(id.to_owned());
        // It is part of a file's name.
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(none());
        }
        let about = fs::read(self.about(id)).await.map_err(|_| none())?;
        let new: UploadRequest = serde_json::from_slice(&about).map_err(|_| none())?;
        if new.user.as_deref() != Some(user) {
            return Err(none());
        }
        let offset = fs::metadata(self.part(id)).await.map_err(|_| none())?.len();
        let UploadRequest { size, sha256, .. } = new;
        Ok(UploadInfo { id: id.to_owned(), offset, size, sha256, done: false })
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
        let mut upload = self.upload(id, user).await?;
        let _turn = self.turn(id)?;
        // It may have grown before it was our turn.
        upload.offset = self.upload(id, user).await?.offset;
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
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| {
                    ImageError::BrokenOff(format!("the upload broke off: {error}"))
                })?;
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
            true => self.finish(upload).await,
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

    async fn finish(&self, upload: UploadInfo) -> Result<UploadInfo, ImageError> {
        let hash = self.hash_of(&upload).await?;
        let got = Sha256::of(&hash.finalize().into());
        if got != upload.sha256 {
            self.drop_upload(&upload.id).await;
            return Err(ImageError::Differs { wanted: upload.sha256, got });
        }
        self.0.objects.put(&upload.sha256, &self.part(&upload.id)).await?;
        self.drop_upload(&upload.id).await;
        Ok(UploadInfo { done: true, ..upload })
    }

    /// The hash of what has come; read from the disk where nobody knows it.
    async fn hash_of(&self, upload: &UploadInfo) -> Result<sha2::Sha256, ImageError> {
        let known = self.writing().hashes.remove(&upload.id);
        if let Some((_, hash)) = known.filter(|(length, _)| *length == upload.offset) {
            return Ok(hash);
        }
        let path = self.part(&upload.id);
        let failed = |error| ImageError::File { file: path.clone(), error };
        let mut file = File::open(&path).await.map_err(failed)?;
        let (mut hash, mut piece) = (sha2::Sha256::new(), vec![0; PIECE]);
        loop {
            match file.read(&mut piece).await.map_err(failed)? {
                0 => return Ok(hash),
                read => hash.update(&piece[..read]),
            }
        }
    }

    fn turn<'a>(&'a self, id: &'a str) -> Result<Turn<'a>, ImageError> {
        match self.writing().busy.insert(id.to_owned()) {
            true => Ok(Turn { images: self, id }),
            false => Err(ImageError::Busy),
        }
    }

    /// The bytes that uploads of a user will have, but for that of one file.
    pub(super) async fn uploads_of(&self, user: &str, but: &Sha256) -> u64 {
        let but = id_of(user, but);
        let uploads = self.open_uploads().await.into_iter().filter(|id| *id != but);
        let mut bytes = 0_u64;
        for id in uploads {
            if let Ok(upload) = self.upload(&id, user).await {
                bytes = bytes.saturating_add(upload.size);
            }
        }
        bytes
    }

    /// The names of all uploads.
    pub(super) async fn open_uploads(&self) -> Vec<String> {
        let mut found = Vec::new();
        let Ok(mut files) = fs::read_dir(&self.0.uploads).await else { return found };
        while let Ok(Some(file)) = files.next_entry().await {
            let name = file.file_name();
            found.extend(
                name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned),
            );
        }
        found
    }

    pub(super) async fn drop_upload(&self, id: &str) {
        self.writing().hashes.remove(id);
        for path in [self.about(id), self.part(id)] {
            if let Err(error) = fs::remove_file(&path).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(file = %path.display(), %error, "an upload stays on the disk");
            }
        }
    }

    pub(super) fn part(&self, id: &str) -> PathBuf {
        self.0.uploads.join(format!("{id}.part"))
    }

    fn about(&self, id: &str) -> PathBuf {
        self.0.uploads.join(format!("{id}.json"))
    }

    async fn write_file(&self, file: PathBuf, bytes: &[u8]) -> Result<(), ImageError> {
        fs::write(&file, bytes).await.map_err(|error| ImageError::File { file, error })
    }
}

/// What an upload is called: the same user comes to the same one with the same file.
fn id_of(user: &str, hash: &Sha256) -> String {
    let id = sha2::Sha256::new().chain_update(hash.as_str()).chain_update(user).finalize();
    Sha256::of(&id.into()).as_str()[..32].to_owned()
}
