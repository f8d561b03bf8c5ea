//! Searching the consoles of a daemon.

use bytes::{Buf as _, Bytes, BytesMut};

use super::resource::percent_encoded;
use super::{Body, Endpoint, Http, Login};
use crate::model::{Failure, Kind, Point};
use crate::wire::search::{Answer, End, Match};

/// The longest line of an answer that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// What is searched for, and where.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    pub grep: &'a str,
    pub ignore_case: bool,
    pub from: Option<Point>,
    pub to: Option<Point>,
    /// The names that the daemon knows the consoles by.
    pub consoles: &'a [&'a str],
    /// The most lines that are given.
    pub limit: u64,
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    body: Body,
    /// The beginning of a line.
    pending: BytesMut,
    end: Option<End>,
}

impl Search {
    /// Asks a daemon.
    ///
    /// # Errors
    /// The daemon's own failure where it refused; else [`Kind::Lab`].
    pub async fn begin(
        daemon: &Endpoint,
        login: &Login,
        query: &Query<'_>,
    ) -> Result<Self, Failure> {
        let mut path = format!(
            "/search?grep={}&ignore_case={}&limit={}&console={}",
            percent_encoded(query.grep),
            query.ignore_case,
            query.limit,
            query.consoles.join(",")
        );
        for (key, point) in [("from", query.from), ("to", query.to)] {
            if let Some(point) = point {
                path.push_str(&format!("&{key}={}", percent_encoded(&point.to_string())));
            }
        }
        let body = Http::new(daemon.clone()).with_login(login.clone()).body(&path).await?;
        Ok(Self { body, pending: BytesMut::new(), end: None })
    }

    /// The next line that was found; `None` behind the last one. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the answer breaks off or is not understood.
    pub async fn next(&mut self) -> Result<Option<Match>, Failure> {
        while self.end.is_none() {
            let broken = |what: String| Failure::new(Kind::Lab, format!("a search {what}"));
            let line = self.line().await?.ok_or_else(|| broken("broke off".into()))?;
            if line.is_empty() {
                continue;
            }
            let answer = serde_json::from_slice(&line);
            match answer.map_err(|error| broken(format!("was answered in other words: {error}")))? {
                Answer::Line(found) => return Ok(Some(found)),
                Answer::End(end) => self.end = Some(end),
            }
        }
        Ok(None)
    }

    /// The next line of the answer, without its end.
    async fn line(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut searched = 0;
        loop {
            let rest = &self.pending[searched..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(searched + end).freeze();
                self.pending.advance(1);
                return Ok(Some(line));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                let what = format!("a line of an answer has more than {MAX_LINE} bytes");
                return Err(Failure::new(Kind::Lab, what));
            }
            let Some(bytes) = self.body.next().await? else { return Ok(None) };
            self.pending.extend_from_slice(&bytes);
        }
    }

    /// How it ended, when it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
}
