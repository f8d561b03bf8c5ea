//! Getting files from http, https and file URLs, with their checksums.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that sends nothing for this long has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const BUFFER: usize = 256 * 1024;

/// Why a file could not be got.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0:?} is no http, https or file URL")]
    Url(String),
    #[error("{url}: the server says {status}")]
    Status { url: String, status: reqwest::StatusCode },
    #[error("{url}: {why}")]
    Network { url: String, why: String },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{url}: the {kind} is {found}, not {expected}")]
    Checksum { url: String, kind: &'static str, expected: String, found: String },
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// A hash to compare with, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    Sha256(String),
    Sha512(String),
}

/// Gets files.
#[derive(Debug, Clone)]
pub struct Fetch {
    client: reqwest::Client,
}

impl Fetch {
    /// # Errors
    /// [`FetchError::Client`] when the system has no usable certificates or the like.
    pub fn new() -> Result<Self, FetchError> {
        // Installed by whoever comes first in this process; the later ones find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| FetchError::Client(crate::model::failure::chain(&error)))?;
        Ok(Self { client })
    }

    /// Whether there is something at a URL, without getting it.
    ///
    /// # Errors
    /// Why there is not.
    pub async fn probe(&self, url: &str) -> Result<(), FetchError> {
        if let Some(path) = file_path(url) {
            let opened = tokio::fs::File::open(&path).await;
            return opened.map(drop).map_err(|error| FetchError::File { path, error });
        }
        check_scheme(url)?;
        let answer = self.client.head(url).send().await.map_err(|error| network(url, &error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            // Some servers do not answer HEAD; what they say to GET is what counts.
            reqwest::StatusCode::METHOD_NOT_ALLOWED | reqwest::StatusCode::NOT_IMPLEMENTED => {
                Ok(())
            }
            status => Err(FetchError::Status { url: url.to_owned(), status }),
        }
    }

    /// Gets a file into `to` and gives its length in bytes. `to` is not there when this fails.
    ///
    /// # Errors
    /// What went wrong, a wrong checksum too.
    pub async fn get(
        &self,
        url: &str,
        headers: &BTreeMap<String, String>,
        digest: Option<&Digest>,
        to: &Path,
    ) -> Result<u64, FetchError> {
        let part = to.with_extension("part");
        let on_file = |error| FetchError::File { path: part.clone(), error };
        let mut file = tokio::fs::File::create(&part).await.map_err(on_file)?;
        let mut hash = Hash::new(digest);
        let mut length = 0;
        match file_path(url) {
            Some(path) => {
                let on_source = |error| FetchError::File { path: path.clone(), error };
                let mut source = tokio::fs::File::open(&path).await.map_err(on_source)?;
                let mut buffer = vec![0; BUFFER];
                loop {
                    let read = source.read(&mut buffer).await.map_err(on_source)?;
                    if read == 0 {
                        break;
                    }
                    hash.update(&buffer[..read]);
                    length += read as u64;
                    file.write_all(&buffer[..read]).await.map_err(on_file)?;
                }
            }
            None => {
                check_scheme(url)?;
                let mut request = self.client.get(url);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let answer = request.send().await.map_err(|error| network(url, &error))?;
                if !answer.status().is_success() {
                    let status = answer.status();
                    return Err(FetchError::Status { url: url.to_owned(), status });
                }
                let mut body = answer.bytes_stream();
                while let Some(bytes) = body.next().await {
                    let bytes = bytes.map_err(|error| network(url, &error))?;
                    hash.update(&bytes);
                    length += bytes.len() as u64;
                    file.write_all(&bytes).await.map_err(on_file)?;
                }
            }
        }
        file.flush().await.map_err(on_file)?;
        hash.check(url, digest)?;
        tokio::fs::rename(&part, to).await.map_err(on_file)?;
        Ok(length)
    }
}

/// The path of a `file:` URL.
fn file_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file:")?;
    Some(rest.strip_prefix("//").unwrap_or(rest).into())
}

fn check_scheme(url: &str) -> Result<(), FetchError> {
    match url.starts_with("http://") || url.starts_with("https://") {
        true => Ok(()),
        false => Err(FetchError::Url(url.to_owned())),
    }
}

fn network(url: &str, error: &reqwest::Error) -> FetchError {
    FetchError::Network { url: url.to_owned(), why: crate::model::failure::chain(error) }
}

enum Hash {
    None,
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hash {
    fn new(digest: Option<&Digest>) -> Self {
        match digest {
            None => Self::None,
            Some(Digest::Sha256(_)) => Self::Sha256(Sha256::new()),
            Some(Digest::Sha512(_)) => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    fn check(self, url: &str, digest: Option<&Digest>) -> Result<(), FetchError> {
        let (kind, found) = match self {
            Self::None => return Ok(()),
            Self::Sha256(hash) => ("sha256sum", hex(&hash.finalize())),
            Self::Sha512(hash) => ("sha512sum", hex(&hash.finalize())),
        };
        match digest {
            Some(Digest::Sha256(expected) | Digest::Sha512(expected)) if *expected != found => {
                let (url, expected) = (url.to_owned(), expected.clone());
                Err(FetchError::Checksum { url, kind, expected, found })
            }
            _ => Ok(()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[tokio::test]
    async fn a_file_url_is_copied_and_its_checksum_compared() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, "abc").unwrap();
        let fetch = Fetch::new().unwrap();
        let url = format!("file://{}", from.display());
        let none = BTreeMap::new();
        let right = Digest::Sha256(ABC.into());
        assert_eq!(fetch.get(&url, &none, Some(&right), &to).await.unwrap(), 3);
        assert_eq!(std::fs::read(&to).unwrap(), b"abc");

        std::fs::remove_file(&to).unwrap();
        let wrong = Digest::Sha256("0".repeat(64));
        let told = fetch.get(&url, &none, Some(&wrong), &to).await.unwrap_err().to_string();
        assert!(told.contains(ABC), "{told}");
        assert!(!to.exists());
    }

    #[tokio::test]
    async fn what_is_not_there_is_told() {
        let fetch = Fetch::new().unwrap();
        let told = fetch.probe("file:///no/such/file").await.unwrap_err().to_string();
        assert!(told.starts_with("/no/such/file: "), "{told}");
        let told = fetch.probe("ftp://host/x").await.unwrap_err().to_string();
        assert!(told.contains("no http, https or file URL"), "{told}");
    }
}
