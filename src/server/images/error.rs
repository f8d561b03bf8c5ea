//! Why something cannot be done with images.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::image::qcow2::Qcow2Error;
use crate::model::{Failure, Kind, Refusal, Sha256};
use crate::store::{ObjectsError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("there is no image {0:?}")]
    NoImage(String),
    #[error("there is no upload {0:?}")]
    NoUpload(String),
    #[error("the image {name} is {user}'s")]
    NotYours { name: String, user: String },
    #[error("no file with the SHA-256 {0} is here")]
    NotHere(Sha256),
    #[error("{user} may store {quota} bytes, has {used} of them, and wants {more} more")]
    Quota { user: String, used: u64, more: u64, quota: u64 },
    #[error("{user} has {open} files that have no name or have not come whole")]
    TooMany { user: String, open: usize },
    #[error("{0:?} could be mistaken for a SHA-256, by which files are had, too")]
    LikeHash(String),
    #[error("the images: {what} was not removed within {limit:?}")]
    Slow { what: String, limit: Duration },
    #[error("{0}")]
    Elsewhere(String),
    #[error("the next byte is the one at {0}")]
    Offset(u64),
    #[error("{name} cannot be the disk of a virtual machine: {error}")]
    NoDisk { name: String, error: Qcow2Error },
    #[error("the file with the SHA-256 {0} is being removed just now: try again in some minutes")]
    Removing(Sha256),
    #[error("it is being written by somebody else just now")]
    Busy,
    #[error("more came than the {0} bytes that were told")]
    TooLong(u64),
    #[error("what came is not what was told: its SHA-256 is {got}, not {wanted}")]
    Differs { wanted: Sha256, got: Sha256 },
    #[error("{0}")]
    BrokenOff(String),
    #[error("the database has an image {0:?} that cannot be read")]
    Damaged(String),
    #[error("{file}: {error}", file = file.display())]
    File { file: PathBuf, error: io::Error },
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImageError {
    /// Whether there is no room any more where the files are.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File { error, .. } => error.kind() == io::ErrorKind::StorageFull,
            Self::Objects(error) => error.is_full(),
            _ => false,
        }
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let text = error.to_string();
        match error {
            error if error.is_full() => Self::new(Kind::Infra, text).hint(
                "what came is kept: go on when there is room; lava image remove makes some, an hour later",
            ),
            ImageError::Objects(error) => error.into(),
            ImageError::Store(error) => error.into(),
            ImageError::File { .. } | ImageError::Damaged(_) | ImageError::Slow { .. } => Self::new(Kind::Infra, text),
            ImageError::NoImage(_) => {
                Self::new(Kind::User, text).hint("lava image list has those that there are")
            }
            ImageError::NotHere(_) => Self::new(Kind::User, text).hint("upload it first"),
            ImageError::NotYours { .. } => Self::new(Kind::Refused, text)
                .because(Refusal::Rights)
                .hint("choose another name, or ask them"),
            ImageError::Quota { .. } => {
                Self::new(Kind::Refused, text).hint("lava image remove makes room")
            }
            ImageError::TooMany { .. } => Self::new(Kind::Refused, text)
                .hint("give them names, or wait: what has none an hour later is removed"),
            ImageError::Elsewhere(_) => Self::new(Kind::Config, text),
            // Whoever asks again how far it is can go on.
            ImageError::Offset(_)
            | ImageError::Busy
            | ImageError::Removing(_)
            | ImageError::BrokenOff(_) => {
                Self::new(Kind::Lab, text)
            }
            ImageError::NoUpload(_)
            | ImageError::LikeHash(_)
            | ImageError::NoDisk { .. }
            | ImageError::TooLong(_)
            | ImageError::Differs { .. } => Self::new(Kind::User, text),
        }
    }
}
