//! Why something cannot be done with images.

use std::io;
use std::path::PathBuf;

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
    #[error("the next byte is the one at {0}")]
    Offset(u64),
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

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let text = error.to_string();
        match error {
            ImageError::Objects(error) => error.into(),
            ImageError::Store(error) => error.into(),
            ImageError::File { .. } | ImageError::Damaged(_) => Self::new(Kind::Infra, text),
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
            ImageError::NoUpload(_)
            | ImageError::Offset(_)
            | ImageError::Busy
            | ImageError::TooLong(_)
            | ImageError::Differs { .. }
            | ImageError::BrokenOff(_) => Self::new(Kind::User, text),
        }
    }
}
