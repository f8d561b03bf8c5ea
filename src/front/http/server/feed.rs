//! `GET /feed`: what the boards' consoles say, for as long as somebody looks.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body as Sent, Bytes};
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::response::IntoResponse;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{ApiError, Ending, Place};
use super::follow::{Follower, Followers};
use super::{By, Caller};
use crate::model::{Name, Right};
use crate::server::Server;
use crate::wire::feed::{Row, Told};

/// So often it is looked what has changed.
const EVERY: Duration = Duration::from_secs(1);
/// So long nothing is said while nothing changes.
const SILENCE: Duration = Duration::from_secs(5);

struct Watching {
    server: Server,
    caller: Caller,
    ending: CancellationToken,
    said: Instant,
    /// As the client knows them.
    known: BTreeMap<Name, Arc<Row>>,
    _follower: Follower,
}

/// All boards whose consoles are known, and then each that has changed, until the client leaves: as `lava-serial` tells of
/// its consoles, each under its board's name.
#[utoipa::path(get, path = "/feed", responses(
    (status = 200, content_type = "application/x-ndjson", body = Told, description = "each board, then those that \
        change; one JSON object a line, and an empty line while nothing changes"),
))]
pub(super) async fn feed(
    State(server): State<Server>,
    Extension(caller): By,
    Extension(Ending(ending)): Extension<Ending>,
    (Extension(place), Extension(followers)): (Extension<Place>, Extension<Followers>),
) -> Result<impl IntoResponse, ApiError> {
    let _follower = followers.one_more(&caller.name().unwrap_or_default())?;
    place.leave();
    let known = BTreeMap::new();
    let watching = Watching { server, caller, ending, said: Instant::now(), known, _follower };
    let body = futures_util::stream::try_unfold(watching, next);
    let head = [(CONTENT_TYPE, "application/x-ndjson"), (CONNECTION, "close")];
    Ok((head, Sent::from_stream(body)))
}

/// What has changed. `None` when the server ends, or the caller is not let in any more.
async fn next(mut watching: Watching) -> io::Result<Option<(Bytes, Watching)>> {
    loop {
        if watching.caller.on_any().is_none() {
            return Ok(None);
        }
        let mut text = watching.look();
        if text.is_empty() && watching.said.elapsed() >= SILENCE {
            text.push(b'\n');
        }
        if !text.is_empty() {
            watching.said = Instant::now();
            return Ok(Some((text.into(), watching)));
        }
        tokio::select! {
            () = watching.ending.cancelled() => return Ok(None),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

impl Watching {
    fn look(&mut self) -> Vec<u8> {
        let mut now = self.server.said();
        now.retain(|board, _| self.caller.may(Right::See, board.as_str()));
        let mut text = Vec::new();
        for (board, row) in &now {
            if !self.known.get(board).is_some_and(|known| Arc::ptr_eq(known, row)) {
                let mut row = Row { console: board.clone(), ..Row::clone(row) };
                if !self.caller.may(Right::Spy, board.as_str()) {
                    row.last_line = None;
                    let seen = [&mut row.boot, &mut row.trouble];
                    seen.into_iter().flatten().for_each(|sight| sight.line.clear());
                }
                add(&mut text, &Told::Console(Box::new(row)));
            }
        }
        for board in self.known.keys().filter(|board| !now.contains_key(*board)) {
            add(&mut text, &Told::Gone { console: board.clone() });
        }
        self.known = now;
        text
    }
}

fn add(text: &mut Vec<u8>, told: &Told) {
    // Plain structs of numbers and texts cannot fail to serialize.
    text.extend(serde_json::to_vec(told).unwrap_or_default());
    text.push(b'\n');
}
