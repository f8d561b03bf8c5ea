//! `GET /search`: which lines of which consoles match.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::super::{ApiError, Params};
use super::consoles::Consoles;
use super::past::point;
use crate::capture::Found;
use crate::console::{Console, PastError, Search};
use crate::model::{Failure, Kind, Point};
use crate::wire::pattern::Pattern;
use crate::wire::search::{Answer, End, Match};

/// How many lines are given when nothing else is asked for.
const LIMIT: u64 = 10_000;
/// How many lines may be asked for.
const MAX_LIMIT: u64 = 1_000_000;
/// How long nothing is said while nothing is found.
const SILENCE: Duration = Duration::from_secs(1);

/// What is searched for, and where.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Query {
    /// A regular expression, in the syntax of Rust's `regex` with Unicode off; at most 1024 bytes.
    grep: String,
    /// Whether the case of ASCII letters is ignored.
    #[serde(default)]
    ignore_case: bool,
    /// Where it begins: an offset, a time as RFC 3339, an age such as `10m` or `7d`, or a mark:
    /// `reset` or `boot`. The oldest byte that is held when left out.
    from: Option<String>,
    /// Where it ends, in the same words. The head when left out.
    to: Option<String>,
    /// The names of the consoles, with commas between them. All when left out.
    console: Option<String>,
    /// The most lines that are given; 10,000 when left out, and at most 1,000,000.
    limit: Option<u64>,
}

/// A search through several consoles, one after the other.
struct Running {
    pattern: Arc<Pattern>,
    range: (Option<Point>, Option<Point>),
    waiting: VecDeque<Arc<Console>>,
    now: Option<(Arc<Console>, Search)>,
    /// How many more lines may be given.
    left: u64,
    end: End,
}

#[utoipa::path(get, path = "/search", params(Query),
    responses((status = 200, description = "the lines that match, by console and in their order, \
                                            then how it ended; one JSON object a line",
               content_type = "application/x-ndjson", body = Answer),
              (status = 404, description = "no such console")))]
pub(super) async fn search(
    consoles: Consoles,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let wrong = |what: String| Failure::new(Kind::User, what);
    let pattern = Pattern::new(&query.grep, query.ignore_case);
    let pattern = Arc::new(pattern.map_err(|error| wrong(format!("grep: {error}")))?);
    let range =
        |key, text: &Option<String>| text.as_deref().map(|text| point(key, text)).transpose();
    let range = (range("from", &query.from)?, range("to", &query.to)?);
    let left = query.limit.unwrap_or(LIMIT);
    if left > MAX_LIMIT {
        return Err(wrong(format!("limit: at most {MAX_LIMIT} lines are given")).into());
    }
    let waiting: VecDeque<Arc<Console>> = match &query.console {
        None => consoles.all().into(),
        Some(names) => {
            names.split(',').map(|name| consoles.find(name)).collect::<Result<_, _>>()?
        }
    };
    let running = Running { pattern, range, waiting, now: None, left, end: End::default() };
    let body = futures_util::stream::try_unfold(Some(running), next);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)))
}

/// The next lines of the answer. While nothing is found there is an empty one from time to time, so
/// that a client that is gone is noticed, and one that waits knows that it is not for nothing.
async fn next(running: Option<Running>) -> io::Result<Option<(Bytes, Option<Running>)>> {
    let Some(mut running) = running else { return Ok(None) };
    let (mut text, begin) = (Vec::new(), Instant::now());
    let mut ended = false;
    while text.is_empty() && !ended && begin.elapsed() < SILENCE {
        ended = running.step(&mut text).await?;
    }
    if ended {
        add(&mut text, &Answer::End(running.end.clone()));
    } else if text.is_empty() {
        text.push(b'\n');
    }
    Ok(Some((text.into(), Some(running).filter(|_| !ended))))
}

impl Running {
    /// Goes on for a moment; whether this was the end.
    async fn step(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        let Some((console, search)) = &mut self.now else {
            let Some(console) = self.waiting.pop_front() else { return Ok(true) };
            let (from, to) = self.range;
            match console.search(self.pattern.clone(), from, to).await {
                Ok(search) => {
                    self.end.held += search.held();
                    self.now = Some((console, search));
                }
                // Of many boards, some were never reset.
                Err(PastError::NoMark { .. }) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            return Ok(false);
        };
        let read = search.read();
        let found = search.next().await?;
        self.end.read += search.read() - read;
        let Some(found) = found else {
            self.now = None;
            return Ok(self.waiting.is_empty());
        };
        for found in found {
            if self.left == 0 {
                self.end.more = true;
                return Ok(true);
            }
            self.left -= 1;
            add(text, &Answer::Line(line(console, &found)));
        }
        Ok(false)
    }
}

fn line(console: &Console, found: &Found) -> Match {
    Match {
        console: console.name().clone(),
        offset: found.offset,
        end: found.end,
        time_us: found.time_us,
        line: String::from_utf8_lossy(&found.line).into_owned(),
    }
}

fn add(text: &mut Vec<u8>, answer: &Answer) {
    // Plain structs of numbers and texts cannot fail to serialize.
    text.extend(serde_json::to_vec(answer).unwrap_or_default());
    text.push(b'\n');
}
