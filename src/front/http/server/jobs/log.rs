//! The log of a job: all of it, a part of it, or as it grows.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::time::Duration;

use axum::Extension;
use axum::body::Body as Sent;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, BufReader,
};
use tokio::sync::watch;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::super::super::{ApiError, Ending, Params, Place};
use super::super::follow::{Follower, Followers};
use super::super::seen::{check_spies, seen_job};
use super::super::{By, Caller};
use super::{looker, seen};
use crate::client::ErrorBody;
use crate::model::{Failure, JobInfo, Kind};
use crate::server::{Asker, Server};

/// The longest line that is followed, in bytes; what is longer is left out.
const MAX_LINE: usize = 1 << 20;
/// So often who follows hears of us.
const HEARD: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::front::http::server) struct Wanted {
    user: Option<String>,
    /// Of a job for several boards.
    board: Option<String>,
    /// Of `follow`: from this line on.
    #[serde(default)]
    line: u64,
}

/// The log, a JSON object a line: `lvl`, `msg`, `dt`; of what the board said `time` and the `offset` in its
/// console's stream. Of a job for several boards the first one's, unless one is named. Bytes can be asked for
/// by `Range`.
#[utoipa::path(get, path = "/jobs/{id}/log", params(
    ("id" = u64, Path),
    ("board" = Option<String>, Query),
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
), responses(
    (status = 200, body = String, content_type = "application/x-ndjson"),
    (status = 206, body = String, content_type = "application/x-ndjson", description = "the bytes asked for"),
    (status = 403, body = ErrorBody, description = "of a boot: the caller may not spy on its board"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
    (status = 416, body = ErrorBody, description = "there are no such bytes"),
))]
pub(in crate::front::http::server) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Wanted { user, board, .. }): Params<Wanted>,
    Extension(caller): By,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = seen(&server, &id, user, &caller).await?;
    check_spies(&caller, &job)?;
    let Some(path) = path(&server, &job, board.as_deref())? else {
        return Ok(([(CONTENT_TYPE, NDJSON)], "").into_response());
    };
    let failed = |error: std::io::Error| ApiError::from(Failure::from_error(Kind::Infra, &error));
    let mut file = match File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(([(CONTENT_TYPE, NDJSON)], "").into_response());
        }
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().await.map_err(failed)?.len();
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let plain = [(CONTENT_TYPE, NDJSON), (ACCEPT_RANGES, "bytes")];
    let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
        let body = Sent::from_stream(ReaderStream::new(file.take(length)));
        return Ok((plain, body).into_response());
    };
    let Some((from, until)) = bytes(range, length) else {
        let what = format!("the log has {length} bytes, and none of {range:?}");
        let failure = Failure::new(Kind::User, what);
        return Err(ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, failure));
    };
    file.seek(SeekFrom::Start(from)).await.map_err(failed)?;
    let body = Sent::from_stream(ReaderStream::new(file.take(until - from)));
    let told = [(CONTENT_RANGE, format!("bytes {from}-{}/{length}", until.saturating_sub(1)))];
    Ok((StatusCode::PARTIAL_CONTENT, plain, told, body).into_response())
}

/// What the log is.
const NDJSON: &str = "application/x-ndjson";

/// Each line of the log as it comes, until the job has ended, as server-sent events: `id` is its number from
/// 0, `data` the line.
#[utoipa::path(get, path = "/jobs/{id}/log/follow", params(
    ("id" = u64, Path),
    ("board" = Option<String>, Query),
    ("line" = Option<u64>, Query, description = "from this line on, the first being 0"),
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
), responses(
    (status = 200, body = String, content_type = "text/event-stream"),
    (status = 403, body = ErrorBody, description = "of a boot: the caller may not spy on its board"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn follow(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Wanted { user, board, line }): Params<Wanted>,
    Extension(caller): By,
    Extension(Ending(ending)): Extension<Ending>,
    (Extension(place), Extension(followers)): (Extension<Place>, Extension<Followers>),
) -> Result<impl IntoResponse, ApiError> {
    let job = seen(&server, &id, user.clone(), &caller).await?;
    check_spies(&caller, &job)?;
    // One that is not there is told at once.
    path(&server, &job, board.as_deref())?;
    let changes = server.changes();
    let looker = looker(&caller, user)?;
    let over = job.has_ended();
    let (held, log) = (None, None);
    let _follower = followers.one_more(&looker.user)?;
    place.leave();
    let following = Following {
        server,
        caller,
        _follower,
        looker,
        job,
        board,
        line,
        ending,
        changes,
        held,
        log,
        over,
    };
    let stream = futures_util::stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    // Its connection has no place for another request.
    let close = [(CONNECTION, "close")];
    Ok((close, Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARD))))
}

struct Following {
    server: Server,
    /// A token may end meanwhile.
    caller: Caller,
    _follower: Follower,
    looker: Asker,
    job: JobInfo,
    board: Option<String>,
    /// The number of the next line.
    line: u64,
    ending: CancellationToken,
    changes: watch::Receiver<u64>,
    /// How much there is, once it is known of which board.
    held: Option<watch::Receiver<u64>>,
    log: Option<Tail>,
    /// The job has ended: what there is now is all there will be.
    over: bool,
}

/// A log that is read while it grows.
struct Tail<R = BufReader<File>> {
    file: R,
    /// The beginning of a line; of one that is too long its first bytes.
    line: Vec<u8>,
    /// How many lines were read.
    lines: u64,
}

impl Following {
    /// The next line; `None` when there will be none.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.begin().await;
            while let Some(log) = &mut self.log {
                let Some((number, line)) = log.next().await else { break };
                if number >= self.line {
                    self.line = number + 1;
                    let text = String::from_utf8_lossy(&line).into_owned();
                    return Some(Event::default().id(number.to_string()).data(text));
                }
            }
            if self.over {
                return None;
            }
            // The job's end is looked for first: what was read before it may not have been all.
            self.changes.borrow_and_update();
            let job = self.server.job(self.job.id, &self.looker).await.ok()?;
            self.job = seen_job(job, &self.caller)?;
            check_spies(&self.caller, &self.job).ok()?;
            self.over = self.job.has_ended();
            if self.over || self.held.is_none() && !self.job.logs().is_empty() {
                continue;
            }
            let grown = async {
                match &mut self.held {
                    Some(held) => held.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            let gone = tokio::select! {
                () = self.ending.cancelled() => return None,
                grown = grown => !grown,
                _ = self.changes.changed() => false,
                () = tokio::time::sleep(HEARD) => false,
            };
            self.caller.on_any()?;
            if gone {
                self.held = None;
            }
        }
    }

    /// Opens what there is by now.
    async fn begin(&mut self) {
        let Ok(Some(board)) = board(&self.job, self.board.as_deref()) else { return };
        if self.held.is_none() && !self.over {
            self.held = self.server.log_growth(self.job.id, board).await;
        }
        // Whatever comes from here on wakes us.
        self.held.iter_mut().for_each(|held| drop(held.borrow_and_update()));
        if self.log.is_none() {
            let folder = self.server.log_folder(self.job.id, board);
            let file = File::open(folder.join(crate::dispatch::execute::LOG)).await.ok();
            self.log =
                file.map(|file| Tail { file: BufReader::new(file), line: Vec::new(), lines: 0 });
        }
    }
}

impl<R: AsyncBufRead + Unpin> Tail<R> {
    /// The next whole line and its number, if there is one already.
    async fn next(&mut self) -> Option<(u64, Vec<u8>)> {
        loop {
            let piece = self.file.fill_buf().await.ok().filter(|piece| !piece.is_empty())?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(piece.len(), |end| end + 1);
            let room = (MAX_LINE + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..end.unwrap_or(used).min(room)]);
            self.file.consume(used);
            if end.is_none() {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let number = self.lines;
            self.lines += 1;
            if line.len() <= MAX_LINE {
                return Some((number, line));
            }
        }
    }
}

/// The file of a job's log; `None` while it has no boards.
fn path(server: &Server, job: &JobInfo, wanted: Option<&str>) -> Result<Option<PathBuf>, ApiError> {
    let board = board(job, wanted)?;
    Ok(board.map(|board| server.log_folder(job.id, board).join(crate::dispatch::execute::LOG)))
}

/// The board whose log is meant.
pub(in crate::front::http::server) fn board<'a>(
    job: &'a JobInfo,
    wanted: Option<&str>,
) -> Result<Option<&'a str>, ApiError> {
    let logs = job.logs();
    let Some(wanted) = wanted else { return Ok(logs.first().copied()) };
    let found = logs.iter().find(|log| **log == wanted).copied();
    match found {
        None if !logs.is_empty() => {
            let what = format!("job {} has no board {wanted:?}", job.id);
            Err(ApiError::not_found(what))
        }
        found => Ok(found),
    }
}

/// `0-99`, `100-` or `-100`: from where until where; `None` when there are none of these bytes.
fn bytes(range: &str, length: u64) -> Option<(u64, u64)> {
    let (from, to) = range.split_once('-')?;
    let (from, until) = match (from.trim(), to.trim()) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (from, "") => (from.parse().ok()?, length),
        (from, to) => (from.parse().ok()?, to.parse::<u64>().ok()?.saturating_add(1).min(length)),
    };
    (from < until).then_some((from, until))
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE, Tail, bytes};

    #[tokio::test]
    async fn a_line_that_does_not_end_takes_no_memory() {
        let long = vec![b'x'; 3 * MAX_LINE];
        let log = [b"one\n", long.as_slice(), b"\nthree\nfo"].concat();
        let mut tail = Tail { file: log.as_slice(), line: Vec::new(), lines: 0 };
        assert_eq!(tail.next().await, Some((0, b"one".to_vec())));
        assert_eq!(tail.next().await, Some((2, b"three".to_vec())));
        assert_eq!((tail.next().await, tail.line.as_slice()), (None, b"fo".as_slice()));
        let mut tail = Tail { file: long.as_slice(), line: Vec::new(), lines: 0 };
        assert_eq!(tail.next().await, None);
        assert!(tail.line.len() <= MAX_LINE + 1);
    }

    #[test]
    fn a_range_is_of_bytes_that_there_are() {
        assert_eq!(bytes("0-99", 50), Some((0, 50)));
        assert_eq!(bytes("10-19", 50), Some((10, 20)));
        assert_eq!(bytes("49-", 50), Some((49, 50)));
        assert_eq!(bytes("-5", 50), Some((45, 50)));
        for none in ["50-", "9-3", "-", "x-1", "0-1,3-4", "-0"] {
            assert_eq!(bytes(none, 50), None, "{none}");
        }
    }
}
