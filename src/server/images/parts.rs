//! Uploads on the disk: what has come of a file is its part, and beside it is what it will be.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use sha2::Digest as _;
use tokio::fs::{self, File};
use tokio::io::AsyncReadExt as _;

use super::{ImageError, Images};
use crate::model::{Sha256, UploadInfo, UploadRequest};

/// So much of a part is read at once, in bytes.
const PIECE: usize = 1024 * 1024;

/// An upload as it is on the disk.
pub(super) struct Upload {
    pub(super) info: UploadInfo,
    pub(super) user: String,
    /// When it was gone on with last, by the clock of this host.
    pub(super) age: Duration,
}

impl Images {
    /// All uploads that can be gone on with.
    pub(super) async fn uploads(&self) -> Vec<Upload> {
        let mut found = Vec::new();
        for id in self.upload_ids().await {
            found.extend(self.read_upload(&id).await);
        }
        found
    }

    pub(super) async fn read_upload(&self, id: &str) -> Option<Upload> {
        // It is part of a file's name.
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let about = fs::read(self.about(id)).await.ok()?;
        let UploadRequest { size, sha256, user } = serde_json::from_slice(&about).ok()?;
        let part = fs::metadata(self.part(id)).await.ok()?;
        let age = part.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        let info = UploadInfo { id: id.to_owned(), offset: part.len(), size, sha256, done: false };
        Some(Upload { info, user: user?, age })
    }

    /// What uploads are called of which there is anything.
    pub(super) async fn upload_ids(&self) -> Vec<String> {
        let mut found = Vec::new();
        let Ok(mut files) = fs::read_dir(&self.0.uploads).await else { return found };
        while let Ok(Some(file)) = files.next_entry().await {
            let path = PathBuf::from(file.file_name());
            let ours = path.extension().is_some_and(|end| end == "json" || end == "part");
            let id = path.file_stem().and_then(|id| id.to_str()).filter(|_| ours);
            found.extend(id.map(str::to_owned));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Begins an upload on the disk: all of it, or nothing.
    pub(super) async fn make_upload(
        &self,
        upload: &UploadInfo,
        user: &str,
    ) -> Result<(), ImageError> {
        let UploadInfo { id, size, sha256, .. } = upload;
        self.writing().hashes.remove(id);
        let about = serde_json::json!({"size": size, "sha256": sha256, "user": user}).to_string();
        for (file, bytes) in [(self.part(id), b"".as_slice()), (self.about(id), about.as_bytes())] {
            if let Err(error) = fs::write(&file, bytes).await {
                self.drop_upload(id).await;
                return Err(ImageError::File { file, error });
            }
        }
        Ok(())
    }

    pub(super) async fn drop_upload(&self, id: &str) {
        self.writing().hashes.remove(id);
        for path in [self.about(id), self.part(id)] {
            if let Err(error) = fs::remove_file(&path).await
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(file = %path.display(), %error, "an upload stays on the disk");
            }
        }
    }

    /// The hash of what has come; read from the disk where nobody knows it.
    pub(super) async fn hash_of(&self, upload: &UploadInfo) -> Result<sha2::Sha256, ImageError> {
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

    pub(super) fn part(&self, id: &str) -> PathBuf {
        self.0.uploads.join(format!("{id}.part"))
    }

    fn about(&self, id: &str) -> PathBuf {
        self.0.uploads.join(format!("{id}.json"))
    }
}

/// What an upload is called: the same user comes to the same one with the same file.
pub(super) fn id_of(user: &str, hash: &Sha256) -> String {
    let id = sha2::Sha256::new().chain_update(hash.as_str()).chain_update(user).finalize();
    Sha256::of(&id.into()).as_str()[..32].to_owned()
}
