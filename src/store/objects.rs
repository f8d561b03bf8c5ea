//! The files of images, by what is in them: in a folder, or in an object store as S3.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    ClientConfigKey, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, RetryConfig,
    WriteMultipart,
};
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;

use crate::model::failure::chain;
use crate::model::{Failure, Kind, Sha256};

/// A file goes in parts of so many bytes; S3 wants at least 5 MB, and at most 10,000 of them.
const PART: usize = 16 * 1024 * 1024;
/// So many of them are under way at once.
const PARTS: usize = 2;

/// Where nothing is connected, or nothing comes, for so long, nothing does any more; a transfer takes what it takes.
/// Each unless the environment says it: its variable, and what is said here.
const LIMITS: [(&str, ClientConfigKey, &str); 3] = [
    ("AWS_CONNECT_TIMEOUT", ClientConfigKey::ConnectTimeout, "10 seconds"),
    ("AWS_READ_TIMEOUT", ClientConfigKey::ReadTimeout, "60 seconds"),
    // Of a part that is sent nobody answers before it is there.
    ("AWS_TIMEOUT", ClientConfigKey::Timeout, "3600 seconds"),
];
/// What does not work is tried again for so long.
const RETRIED: Duration = Duration::from_secs(60);
/// What a place is marked with, beside its files.
const MARK: &str = "lava-images.id";
/// … which is no longer than this, in bytes.
const MAX_MARK: u64 = 128;

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
}

/// What is read of a file, piece by piece.
pub type Pieces = BoxStream<'static, Result<Bytes, ObjectsError>>;

#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    #[error("{0:?} is no place for images; write s3://BUCKET or s3://BUCKET/FOLDER, or a folder")]
    Url(String),
    #[error("the images: {}", chain(.0))]
    Store(#[from] object_store::Error),
    #[error("{file}: {error}")]
    File { file: String, error: std::io::Error },
}

impl Objects {
    /// A folder, which is made, or an `s3://` URL. How S3 lets us in is in the environment: AWS_ENDPOINT,
    /// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and so on.
    ///
    /// # Errors
    /// When it cannot be made, or is no such URL.
    pub fn open(place: &str) -> Result<Self, ObjectsError> {
        let Some(rest) = place.strip_prefix("s3://") else {
            if place.contains("://") {
                return Err(ObjectsError::Url(place.to_owned()));
            }
            std::fs::create_dir_all(place)
                .map_err(|error| ObjectsError::File { file: place.to_owned(), error })?;
            let store = LocalFileSystem::new_with_prefix(Path::new(place))?.with_fsync(true);
            let folder = Some(PathBuf::from(place));
            return Ok(Self { store: Arc::new(store), prefix: Key::default(), folder });
        };
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(ObjectsError::Url(place.to_owned()));
        }
        // Installed by whoever comes first in this process; the later ones find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig { retry_timeout: RETRIED, ..RetryConfig::default() };
        let mut store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
        for (variable, key, limit) in LIMITS {
            if std::env::var_os(variable).is_none() {
                store = store.with_config(AmazonS3ConfigKey::Client(key), limit);
            }
        }
        let store = store.build()?;
        let prefix = Key::parse(folder).map_err(object_store::Error::from)?;
        Ok(Self { store: Arc::new(store), prefix, folder: None })
    }

    /// Puts a file where it belongs. It is there whole and as its hash says, or not at all.
    ///
    /// # Errors
    /// When it cannot be read or written. So for all that is done here.
    pub async fn put(&self, hash: &Sha256, file: &Path) -> Result<(), ObjectsError> {
        let failed = |error| ObjectsError::File { file: file.display().to_string(), error };
        let mut source = tokio::fs::File::open(file).await.map_err(failed)?;
        let upload = self.store.put_multipart(&self.key(hash)).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut read = sha2::Sha256::new();
        let written = async {
            loop {
                upload.wait_for_capacity(PARTS).await?;
                let mut part = BytesMut::with_capacity(PART);
                while part.len() < PART {
                    if source.read_buf(&mut part).await.map_err(failed)? == 0 {
                        break;
                    }
                }
                if part.is_empty() {
                    let got = Sha256::of(&read.finalize().into());
                    let changed = || std::io::Error::other("it has changed while it was stored");
                    return if got == *hash { Ok(()) } else { Err(failed(changed())) };
                }
                read.update(&part);
                upload.put(part.freeze());
            }
        };
        match written.await {
            Ok(()) => upload.finish().await.map(drop).map_err(ObjectsError::from),
            Err(error) => {
                // What is left of it is nobody's; why it failed is what counts.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// The size of a file in bytes, if it is here.
    pub async fn size(&self, hash: &Sha256) -> Result<Option<u64>, ObjectsError> {
        match self.store.head(&self.key(hash)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a part of a file.
    pub async fn read(&self, hash: &Sha256, range: Range<u64>) -> Result<Pieces, ObjectsError> {
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&self.key(hash), options).await?;
        Ok(found.into_stream().map_err(ObjectsError::from).boxed())
    }

    /// All that are here, with their sizes in bytes.
    pub async fn all(&self) -> Result<Vec<(Sha256, u64)>, ObjectsError> {
        let listed: Vec<_> = self.store.list(Some(&self.prefix)).try_collect().await?;
        let known = listed
            .into_iter()
            .filter_map(|found| Some((found.location.filename()?.parse().ok()?, found.size)));
        Ok(known.collect())
    }

    pub async fn remove(&self, hash: &Sha256) -> Result<(), ObjectsError> {
        match self.store.delete(&self.key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What puts into the folder that were cut off have left, with how long it is. What they leave in an S3 it
    /// removes by itself, if its bucket is told to.
    pub async fn leftovers(&self) -> Result<Vec<(PathBuf, u64)>, ObjectsError> {
        let Some(folder) = self.folder.clone() else { return Ok(Vec::new()) };
        let found = move || {
            let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
            let below = entries(&folder).flat_map(|below| {
                // Only where our files are.
                let ours = below.file_name().len() == 2;
                entries(&below.path()).filter(move |_| ours).collect::<Vec<_>>()
            });
            let found = below.filter(|file| is_leftover(&file.file_name().to_string_lossy()));
            found.filter_map(|file| Some((file.path(), file.metadata().ok()?.len()))).collect()
        };
        Ok(tokio::task::spawn_blocking(found).await.unwrap_or_default())
    }

    pub async fn remove_leftover(&self, file: &Path) -> Result<(), ObjectsError> {
        let failed = |error| ObjectsError::File { file: file.display().to_string(), error };
        tokio::fs::remove_file(file).await.map_err(failed)
    }

    /// What the place is marked with, if it is.
    pub async fn mark(&self) -> Result<Option<String>, ObjectsError> {
        let options =
            GetOptions { range: Some(GetRange::Bounded(0..MAX_MARK)), ..GetOptions::default() };
        let mark = match self.store.get_opts(&self.prefix.clone().join(MARK), options).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(String::from_utf8_lossy(&mark).trim().to_owned()).filter(|mark| !mark.is_empty()))
    }

    pub async fn put_mark(&self, mark: &str) -> Result<(), ObjectsError> {
        let mark = format!("{mark}\n").into();
        self.store.put(&self.prefix.clone().join(MARK), mark).await?;
        Ok(())
    }

    /// Folders of some hundred files each.
    fn key(&self, hash: &Sha256) -> Key {
        self.prefix.clone().join(&hash.as_str()[..2]).join(hash.as_str())
    }
}

/// Whether a file is one on its way in, as the library calls it: our name, `#` and a number.
fn is_leftover(name: &str) -> bool {
    let Some((hash, number)) = name.split_once('#') else { return false };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && hash.parse::<Sha256>().is_ok()
}

impl ObjectsError {
    /// Whether there is no room any more.
    pub fn is_full(&self) -> bool {
        let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
        match self {
            Self::Url(_) => false,
            Self::File { error, .. } => full(error),
            Self::Store(error) => {
                let error: &dyn std::error::Error = error;
                std::iter::successors(Some(error), |error| error.source())
                    .any(|error| error.downcast_ref().is_some_and(full))
            }
        }
    }
}

impl From<ObjectsError> for Failure {
    fn from(error: ObjectsError) -> Self {
        let kind = match &error {
            ObjectsError::Url(_) => Kind::Config,
            ObjectsError::Store(_) | ObjectsError::File { .. } => Kind::Infra,
        };
        Self::new(kind, error.to_string())
    }
}
