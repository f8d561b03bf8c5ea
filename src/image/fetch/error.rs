//! What can go wrong with getting a file.

use std::path::PathBuf;

use reqwest::StatusCode;

use crate::image::NotAllowed;

/// Why a file could not be got.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0:?} is no http, https or file URL")]
    Url(String),
    #[error("{url}: the server says {status}")]
    Status { url: String, status: StatusCode },
    #[error("{url}: {why}")]
    Network { url: String, why: String },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{url}: the {kind} is {found}, not {expected}")]
    Checksum { url: String, kind: &'static str, expected: String, found: String },
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error("no HTTP client: {0}")]
    Client(String),
}

impl FetchError {
    /// Whether it may be otherwise in a while: a server that is not reached, or is busy.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            _ => false,
        }
    }
}
