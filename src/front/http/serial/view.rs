//! What pages show of a console: `GET /consoles/{name}/screen`, its screen on a WebSocket
//! ([`crate::wire::view`]), and `GET /consoles/{name}/lines`, what came before.

use std::num::NonZeroU16;

use axum::extract::Path;
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use super::super::websocket::Handshake;
use super::super::{ApiError, Params, Peer};
use super::attach::{Begin, text};
use super::consoles::Consoles;
use super::drawing::{Drawing, Size};
use super::rights;
use crate::console::{Attach, Console, PastError, REPLAY, Terminal};
use crate::front::hand_over::HandOver;
use crate::model::{Failure, Kind, Right};
use crate::wire::view::{self, Lines, ToPage};

/// How many lines are given when nothing is said.
const LINES: usize = 200;
/// How many may be asked for.
const MAX_LINES: usize = 1000;

/// Which lines are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The offset before which they are; the head when left out.
    before: Option<u64>,
    /// … or from which on they are.
    from: Option<u64>,
    /// How many columns a row has.
    #[param(value_type = u16)]
    cols: NonZeroU16,
    /// At most so many; 200 when left out, 1,000 at most. Of less than 64 KiB in any case.
    count: Option<usize>,
}

pub(super) async fn screen(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(query): Params<view::Query>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(tasks): Extension<TaskTracker>,
    Extension(hand_over): Extension<HandOver>,
    handshake: Handshake,
) -> Result<Response, ApiError> {
    let console = consoles.find(&name)?;
    let caller = consoles.caller();
    let terminal = terminal(&console, &query).await?;
    let user = caller.user(query.user, || format!("browser:{peer}"));
    let right = caller.on(&name);
    let you = ToPage::You { user: user.clone(), right: right.map_or("", Right::as_str) };
    let mode = rights::mode(query.mode, right);
    let from = Some(terminal.offset());
    let begin = Begin {
        attach: Attach { user, via: "browser", peer, mode, from, stay: false },
        standing: caller.standing(console.name().clone()),
        before: Some(text(&you)),
        after: None,
        drawing: Some(Drawing::new(console.name().clone(), terminal, Size(query.rows, query.cols))),
    };
    Ok(begin.spawn(console, handshake, &tasks, hand_over))
}

/// The screen as the page has it, or else as it stands.
async fn terminal(console: &Console, query: &view::Query) -> Result<Terminal, PastError> {
    let head = console.head();
    let near = |from: &u64| head.checked_sub(*from).is_some_and(|behind| behind <= REPLAY);
    let from = query.from.filter(near);
    let mut terminal = console.terminal(query.rows, query.cols, from.unwrap_or(head)).await?;
    if from == Some(terminal.offset()) {
        terminal.known();
    }
    Ok(terminal)
}

#[utoipa::path(get, path = "/consoles/{name}/lines", params(("name" = String, Path), Wanted),
    responses((status = 200, body = Lines), (status = 404, description = "no such console")))]
pub(super) async fn lines(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Lines>, ApiError> {
    let console = consoles.find(&name)?;
    let count = wanted.count.unwrap_or(LINES).clamp(1, MAX_LINES);
    Ok(Json(match (wanted.before, wanted.from) {
        (None, Some(from)) => console.lines_from(from, wanted.cols, count).await?,
        (Some(_), Some(_)) => {
            let what = "lines are before an offset or from one on, not both";
            return Err(Failure::new(Kind::User, what).into());
        }
        (before, None) => {
            let before = before.unwrap_or_else(|| console.head());
            console.lines_before(before, wanted.cols, count).await?
        }
    }))
}
