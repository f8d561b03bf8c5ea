//! An answer of many lines, read as they come.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;

use super::Http;
use super::http::Connection;
use crate::model::{Failure, Kind};

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// The body of an answer, a line at a time.
pub struct Lines {
    http: Http,
    /// `None` when it has done its work.
    connection: Option<Connection>,
    body: Incoming,
    pending: BytesMut,
}

impl Http {
    /// Asks for something that may take long and be large.
    ///
    /// # Errors
    /// The daemon's own failure where it gave one; else [`Kind::Lab`].
    pub async fn lines(&self, path: &str) -> Result<Lines, Failure> {
        let started = tokio::time::timeout(self.timeout(), self.start(Method::GET, path, None));
        let (response, connection) = started.await.map_err(|_| self.silent(path))??;
        let status = response.status();
        let mut lines = Lines {
            http: self.clone(),
            connection: Some(connection),
            body: response.into_body(),
            pending: BytesMut::new(),
        };
        if status.is_success() {
            return Ok(lines);
        }
        Err(self.refusal(path, status, &lines.rest().await?))
    }

    fn silent(&self, what: &str) -> Failure {
        let seconds = self.timeout().as_secs_f32();
        Failure::new(Kind::Lab, format!("{what}: nothing was answered for {seconds} s"))
    }
}

impl Lines {
    /// The next line without its end; `None` behind the last one. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the connection breaks, or nothing comes for as long as a request may take.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(end).freeze();
                self.pending.advance(1);
                return Ok(Some(line));
            }
            if self.pending.len() > MAX_LINE {
                let what = format!("a line of an answer has more than {MAX_LINE} bytes");
                return Err(Failure::new(Kind::Lab, what));
            }
            let more = tokio::time::timeout(self.http.timeout(), self.more());
            match more.await.map_err(|_| self.http.silent("an answer stopped"))?? {
                Some(bytes) => self.pending.extend_from_slice(&bytes),
                None if self.pending.is_empty() => return Ok(None),
                None => return Ok(Some(self.pending.split().freeze())),
            }
        }
    }

    /// All of a short answer.
    async fn rest(&mut self) -> Result<Bytes, Failure> {
        let mut rest = BytesMut::new();
        while let Some(bytes) = self.more().await? {
            rest.extend_from_slice(&bytes);
            if rest.len() > MAX_LINE {
                break;
            }
        }
        Ok(rest.freeze())
    }

    async fn more(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match &mut self.connection {
                None => self.body.frame().await,
                Some(connection) => tokio::select! {
                    frame = self.body.frame() => frame,
                    _ = connection => {
                        self.connection = None;
                        continue;
                    }
                },
            };
            match frame.transpose().map_err(|error| self.http.broken(&error))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("http", &self.http).finish_non_exhaustive()
    }
}
