//! An answer that may be long, read as it comes.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;

use super::Http;
use super::http::Connection;
use crate::model::{Failure, Kind};

/// The longest answer that tells a failure, in bytes.
const MAX_FAILURE: usize = 1024 * 1024;

/// The body of an answer. Nothing of it is received while nobody waits.
pub struct Body {
    http: Http,
    /// `None` when it has done its work.
    connection: Option<Connection>,
    incoming: Incoming,
}

impl Http {
    /// Asks for something that may take long and be large.
    ///
    /// # Errors
    /// The daemon's own failure where it gave one; else [`Kind::Lab`].
    pub async fn body(&self, path: &str) -> Result<Body, Failure> {
        let started = tokio::time::timeout(self.timeout(), self.start(Method::GET, path, None));
        let (response, connection) = started.await.map_err(|_| self.silent(path))??;
        let status = response.status();
        let mut body = Body {
            http: self.clone(),
            connection: Some(connection),
            incoming: response.into_body(),
        };
        if status.is_success() {
            return Ok(body);
        }
        let mut failure = BytesMut::new();
        while let Some(bytes) = body.next().await?.filter(|_| failure.len() < MAX_FAILURE) {
            failure.extend_from_slice(&bytes);
        }
        Err(self.refusal(path, status, &failure))
    }

    fn silent(&self, what: &str) -> Failure {
        let seconds = self.timeout().as_secs_f32();
        Failure::new(Kind::Lab, format!("{what}: nothing was answered for {seconds} s"))
    }
}

impl Body {
    /// The next bytes; `None` behind the last ones. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the connection breaks, or nothing comes for as long as a request may take.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let timeout = self.http.timeout();
        match tokio::time::timeout(timeout, self.received()).await {
            Ok(received) => received,
            Err(_) => Err(self.http.silent("an answer stopped")),
        }
    }

    async fn received(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match &mut self.connection {
                None => self.incoming.frame().await,
                Some(connection) => tokio::select! {
                    frame = self.incoming.frame() => frame,
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

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("http", &self.http).finish_non_exhaustive()
    }
}
