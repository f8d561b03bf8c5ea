//! Getting files by http, https and file URLs, with a checksum. What breaks off is gone on with where it
//! stopped, and what a cache has is not fetched again.

mod error;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use reqwest::header::{
    ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256, Sha512};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::cache::{Cache, Known, hex};
use super::files::Files;
use crate::client::lab_and_system_tls;
use crate::model::failure::chain;

pub use error::FetchError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that sends nothing for this long has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a transfer that breaks off is gone on with before it counts as failed. One that got on in
/// between begins to count anew.
const RESUMES: u32 = 5;
/// How long to wait before that, times the number of the try.
const PAUSE: Duration = Duration::from_millis(500);
const BUFFER: usize = 256 * 1024;

/// A hash to compare with, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    Sha256(String),
    Sha512(String),
}

/// Gets files.
#[derive(Debug, Clone, Default)]
pub struct Fetch {
    /// Made when the first file comes over the network.
    client: OnceLock<reqwest::Client>,
    cache: Option<Cache>,
    files: Files,
}

/// What to get, and where to.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    pub url: &'a str,
    pub headers: &'a BTreeMap<String, String>,
    pub digest: Option<&'a Digest>,
    pub to: &'a Path,
}

/// What was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// In bytes.
    pub size: u64,
    /// Nothing but perhaps a question went over the network.
    pub cached: bool,
}

/// Who wants to know how far a transfer is: the bytes that are there, and how many there will be, if the
/// server tells.
pub type Told<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

impl Fetch {
    fn client(&self) -> Result<&reqwest::Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let tls = lab_and_system_tls().map_err(|error| FetchError::Client(chain(&error)))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.as_ref().clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| FetchError::Client(chain(&error)))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Keeps what comes by http and https in a folder, and looks there first.
    #[must_use]
    pub fn with_cache(self, folder: Option<PathBuf>) -> Self {
        Self { cache: folder.map(Cache::new), ..self }
    }

    /// Reads only these files of this host.
    #[must_use]
    pub fn with_files(self, files: Files) -> Self {
        Self { files, ..self }
    }

    /// Opens a file of this host.
    async fn open(&self, path: &Path) -> Result<File, FetchError> {
        let on_file = |error| FetchError::File { path: path.to_owned(), error };
        let file = File::open(self.files.place(path)?).await.map_err(on_file)?;
        self.files.check(&file).map_err(on_file)?;
        Ok(file)
    }

    /// Whether there is something at a URL, without getting it; asked with the headers with which it will
    /// be got.
    ///
    /// # Errors
    /// Why there is not.
    pub async fn probe(
        &self,
        url: &str,
        headers: &BTreeMap<String, String>,
    ) -> Result<(), FetchError> {
        if let Some(path) = file_path(url) {
            return self.open(&path).await.map(drop);
        }
        check_scheme(url)?;
        // Many do not answer HEAD, and an address that is signed is so for GET alone: what is said to
        // that counts, and its body is not read.
        let mut status = StatusCode::OK;
        for method in [Method::HEAD, Method::GET] {
            let request = with(self.client()?.request(method, url), headers);
            status = request.send().await.map_err(|error| network(url, &error))?.status();
            if status.is_success() {
                return Ok(());
            }
        }
        Err(FetchError::Status { url: url.to_owned(), status })
    }

    /// Gets a file. It is not there when this fails. Cancel safe: only a part, named so, may be left, with
    /// which the next try goes on.
    ///
    /// # Errors
    /// What went wrong, a wrong checksum too.
    pub async fn get(&self, wanted: &Wanted<'_>, told: Told<'_>) -> Result<Got, FetchError> {
        let part = wanted.to.with_extension("part");
        let on_file = |error| FetchError::File { path: part.clone(), error };
        let mut sink = Sink::new(&part, wanted, told).await.map_err(on_file)?;
        let mut cached = false;
        if let Some(path) = file_path(wanted.url) {
            let source = self.open(&path).await?;
            sink.begin("", &HeaderMap::new()).await?;
            sink.copy_local(&path, source, wanted).await?;
        } else {
            if let (Some(Digest::Sha256(hash)), Some(cache)) = (wanted.digest, &self.cache) {
                cached = sink.take_kept(cache, hash).await?;
            }
            if !cached {
                check_scheme(wanted.url)?;
                cached = self.download(wanted, &mut sink).await?;
            }
        }
        let (size, known) = sink.finish(wanted).await?;
        tokio::fs::rename(&part, wanted.to).await.map_err(on_file)?;
        if file_path(wanted.url).is_none() {
            self.keep(wanted, known).await;
        }
        Ok(Got { size, cached })
    }

    /// Puts what was got into the cache.
    async fn keep(&self, wanted: &Wanted<'_>, known: Known) {
        let Some(cache) = self.cache.clone() else { return };
        let (url, file) = (wanted.url.to_owned(), wanted.to.to_owned());
        let kept = tokio::task::spawn_blocking(move || cache.keep(&url, &known, &file)).await;
        if let Err(error) = kept.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            // The next job fetches it again.
            tracing::warn!(%error, url = wanted.url, "not kept in the cache");
        }
    }

    /// Whether it came from the cache.
    async fn download(&self, wanted: &Wanted<'_>, sink: &mut Sink<'_>) -> Result<bool, FetchError> {
        let mut tries = 0;
        loop {
            let known = self.cache.as_ref().and_then(|cache| cache.known(wanted.url));
            let begun = sink.length;
            match self.go_on(wanted, known.as_ref(), sink).await {
                Ok(cached) => return Ok(cached),
                Err(error) => {
                    tries = if sink.length > begun { 1 } else { tries + 1 };
                    if !error.may_pass() || tries > RESUMES {
                        return Err(error);
                    }
                    tracing::info!(%error, at = sink.length, "going on with a transfer");
                    tokio::time::sleep(PAUSE * tries).await;
                }
            }
        }
    }

    /// One request: for all of it, for what is not there yet, or whether what is cached is still it.
    async fn go_on(
        &self,
        wanted: &Wanted<'_>,
        known: Option<&Known>,
        sink: &mut Sink<'_>,
    ) -> Result<bool, FetchError> {
        let Wanted { url, headers, .. } = *wanted;
        let mut request = with(self.client()?.get(url), headers);
        let resuming = sink.length > 0;
        request = match known {
            _ if resuming => sink.rest(request),
            Some(known) => unless(request, known),
            None => request,
        };
        let answer = request.send().await.map_err(|error| network(url, &error))?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => {
                if let (Some(cache), Some(known)) = (&self.cache, known)
                    && sink.take_kept(cache, &known.sha256).await?
                {
                    sink.known = known.clone();
                    return Ok(true);
                }
                let why = "the cache has lost it".into();
                return Err(FetchError::Network { url: url.into(), why });
            }
            StatusCode::PARTIAL_CONTENT if resuming => {}
            StatusCode::RANGE_NOT_SATISFIABLE if resuming => {
                sink.begin("", &HeaderMap::new()).await?;
                let why = "there is nothing behind the part that is here".into();
                return Err(FetchError::Network { url: url.into(), why });
            }
            status if status.is_success() => sink.begin(url, answer.headers()).await?,
            status => return Err(FetchError::Status { url: url.to_owned(), status }),
        }
        sink.promised = promised(answer.headers());
        sink.take(url, answer).await.map(|()| false)
    }
}

fn with(request: RequestBuilder, headers: &BTreeMap<String, String>) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// Asks for a file only if it is another one than before.
fn unless(request: RequestBuilder, known: &Known) -> RequestBuilder {
    match (&known.etag, &known.modified) {
        (Some(etag), _) => request.header(IF_NONE_MATCH, etag),
        (None, Some(modified)) => request.header(IF_MODIFIED_SINCE, modified),
        (None, None) => request,
    }
}

/// The file that is being written.
struct Sink<'a> {
    path: PathBuf,
    file: File,
    length: u64,
    sha256: Sha256,
    /// Where that hash is asked for.
    sha512: Option<Sha512>,
    /// What the server says of this version.
    known: Known,
    /// The SHA-256 that the server says it has.
    promised: Option<String>,
    told: Told<'a>,
}

impl<'a> Sink<'a> {
    async fn new(part: &Path, wanted: &Wanted<'_>, told: Told<'a>) -> std::io::Result<Self> {
        let sha512 = matches!(wanted.digest, Some(Digest::Sha512(_))).then(Sha512::new);
        let (left, path) = (Known::left(&note(part), wanted.url), part.to_owned());
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(left.is_none());
        let file = options.open(part).await?;
        let (known, sha256) = (left.unwrap_or_default(), Sha256::new());
        let promised = None;
        let mut sink = Self { path, file, length: 0, sha256, sha512, known, promised, told };
        sink.read_left().await?;
        Ok(sink)
    }

    /// Takes in what an earlier try has left.
    async fn read_left(&mut self) -> std::io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.file.read(&mut buffer).await? {
                0 => return Ok(()),
                read => self.count(&buffer[..read]),
            }
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(hash) = &mut self.sha512 {
            hash.update(bytes);
        }
        self.length += bytes.len() as u64;
    }

    fn on_file(&self) -> impl Fn(std::io::Error) -> FetchError + use<> {
        let path = self.path.clone();
        move |error| FetchError::File { path: path.clone(), error }
    }

    /// Begins anew, with another version of the file perhaps. Another try can go on with what comes when
    /// the headers tell which version it is.
    async fn begin(&mut self, url: &str, headers: &HeaderMap) -> Result<(), FetchError> {
        let on_file = self.on_file();
        self.file = File::create(&self.path).await.map_err(&on_file)?;
        (self.length, self.sha256) = (0, Sha256::new());
        self.sha512 = self.sha512.as_ref().map(|_| Sha512::new());
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?.to_owned();
            Some(value).filter(|value| !value.is_empty())
        };
        let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));
        self.known = Known { etag, modified, ..Known::default() };
        self.known.leave(&note(&self.path), url).map_err(on_file)
    }

    /// Takes a file of the cache, if it is there and what its name says: the power may have gone while
    /// it was written.
    async fn take_kept(&mut self, cache: &Cache, sha256: &str) -> Result<bool, FetchError> {
        let Some(path) = cache.file(sha256) else { return Ok(false) };
        self.begin("", &HeaderMap::new()).await?;
        let source = File::open(&path).await;
        let source = source.map_err(|error| FetchError::File { path: path.clone(), error })?;
        self.copy(&path, source).await?;
        if hex(&self.sha256.clone().finalize()) == sha256 {
            return Ok(true);
        }
        tracing::warn!(path = %path.display(), "a file of the cache is damaged, and fetched again");
        tokio::fs::remove_file(&path).await.map_err(self.on_file())?;
        self.begin("", &HeaderMap::new()).await?;
        Ok(false)
    }

    /// Asks for what is not there yet, of this version only.
    fn rest(&self, request: RequestBuilder) -> RequestBuilder {
        // A weak ETag does not promise the same bytes.
        let strong = self.known.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
        match strong.or(self.known.modified.as_ref()) {
            Some(version) => {
                request.header(RANGE, format!("bytes={}-", self.length)).header(IF_RANGE, version)
            }
            None => request,
        }
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.count(bytes);
        let on_file = self.on_file();
        self.file.write_all(bytes).await.map_err(on_file)
    }

    async fn copy(&mut self, path: &Path, mut source: File) -> Result<(), FetchError> {
        let on_source = |error| FetchError::File { path: path.to_owned(), error };
        let total = source.metadata().await.map_err(on_source)?.len();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = source.read(&mut buffer).await.map_err(on_source)?;
            if read == 0 {
                return Ok(());
            }
            self.put(&buffer[..read]).await?;
            (self.told)(self.length, Some(total));
        }
    }

    async fn take(&mut self, url: &str, answer: Response) -> Result<(), FetchError> {
        let total = answer.content_length().map(|rest| rest + self.length);
        let mut body = answer.bytes_stream();
        while let Some(bytes) = body.next().await {
            self.put(&bytes.map_err(|error| network(url, &error))?).await?;
            (self.told)(self.length, total);
        }
        Ok(())
    }

    async fn finish(mut self, wanted: &Wanted<'_>) -> Result<(u64, Known), FetchError> {
        let on_file = self.on_file();
        self.file.flush().await.map_err(on_file)?;
        // It is whole, or of no use.
        let _ = tokio::fs::remove_file(note(&self.path)).await;
        let sha256 = hex(&self.sha256.finalize());
        let (kind, expected, found) = match wanted.digest {
            Some(Digest::Sha256(expected)) => ("sha256sum", expected, sha256.clone()),
            Some(Digest::Sha512(expected)) => {
                let found = self.sha512.map(|hash| hex(&hash.finalize())).unwrap_or_default();
                ("sha512sum", expected, found)
            }
            None => match &self.promised {
                Some(promised) => ("Repr-Digest", promised, sha256.clone()),
                None => return Ok((self.length, Known { sha256, ..self.known })),
            },
        };
        if *expected == found {
            return Ok((self.length, Known { sha256, ..self.known }));
        }
        let (url, expected) = (wanted.url.to_owned(), expected.clone());
        Err(FetchError::Checksum { url, kind, expected, found })
    }
}

/// The SHA-256 that a server promises of what it gives, in hexadecimal: `Repr-Digest` (RFC 9530).
fn promised(headers: &HeaderMap) -> Option<String> {
    let digests = headers.get("repr-digest")?.to_str().ok()?;
    let digest = digests.split(',').find_map(|one| one.trim().strip_prefix("sha-256=:"))?;
    let bytes = STANDARD.decode(digest.strip_suffix(':')?).ok()?;
    (bytes.len() == 32).then(|| hex(&bytes))
}

/// The file that tells what a part is of.
fn note(part: &Path) -> PathBuf {
    part.with_extension("part-of")
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
    FetchError::Network { url: url.to_owned(), why: chain(error) }
}

mod local;
#[cfg(test)]
mod tests;
