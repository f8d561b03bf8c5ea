//! Searching the consoles of a daemon.

use super::Http;
use super::json_lines::JsonLines;
use super::resource::percent_encoded;
use crate::model::{Failure, Kind, Point};
use crate::wire::search::{Answer, End, Match};

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
    answers: JsonLines,
    end: Option<End>,
}

impl Search {
    /// Asks a daemon.
    ///
    /// # Errors
    /// The daemon's own failure where it refused; else [`Kind::Lab`].
    pub async fn begin(daemon: &Http, query: &Query<'_>) -> Result<Self, Failure> {
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
        let body = daemon.body(&path).await?;
        Ok(Self { answers: JsonLines::new("a search", body), end: None })
    }

    /// The next line that was found; `None` behind the last one. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the answer breaks off or is not understood.
    pub async fn next(&mut self) -> Result<Option<Match>, Failure> {
        while self.end.is_none() {
            let broken = || Failure::new(Kind::Lab, "a search broke off");
            match self.answers.next().await?.ok_or_else(broken)? {
                Answer::Line(found) => return Ok(Some(found)),
                Answer::End(end) => self.end = Some(end),
            }
        }
        Ok(None)
    }

    /// How it ended, when it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
}
