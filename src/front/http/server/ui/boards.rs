//! All boards: how each is, who has it, and what it said last.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use serde::Deserialize;

use super::super::super::Params;
use super::shown::Moment;
use super::{By, Page, Top, made};
use crate::front::http::access::Caller;
use crate::model::{BoardHealth, BoardInfo, BoardState, Right, units};
use crate::server::Server;
use crate::wire::feed;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// Only these boards, with commas between them: what has changed.
    only: Option<String>,
}

#[derive(Template)]
#[template(path = "boards.html")]
struct BoardsPage {
    top: Top,
    rows: Vec<Row>,
    /// How many there are of each state.
    counts: Vec<(&'static str, usize)>,
}

/// A board in the list.
struct Row {
    board: BoardInfo,
    word: &'static str,
    tone: &'static str,
    /// Why nobody gets it.
    why: String,
    until: Option<Moment>,
    /// `on`, `off` or nothing, as its console's timeline tells.
    power: &'static str,
    last_line: String,
}

pub(super) async fn page(
    State(server): State<Server>,
    Params(Asked { only }): Params<Asked>,
    caller: By,
) -> Page {
    let Extension(caller) = caller;
    let axum::Json(boards) =
        super::super::boards::list(State(server.clone()), Extension(caller.clone())).await;
    let only: Option<BTreeSet<&str>> = only.as_deref().map(|only| only.split(',').collect());
    let said = server.said();
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    let mut rows = Vec::new();
    for board in boards {
        let (word, tone) = state(&board);
        match counts.iter_mut().find(|(it, _)| *it == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
        if only.as_ref().is_none_or(|only| only.contains(board.name.as_str())) {
            let said = said.get(&board.name);
            rows.push(row(board, (word, tone), said, &caller));
        }
    }
    counts.sort();
    made(&BoardsPage { top: Top::new("boards", "Boards", &caller), rows, counts })
}

fn row(
    board: BoardInfo,
    (word, tone): (&'static str, &'static str),
    said: Option<&Arc<feed::Row>>,
    caller: &Caller,
) -> Row {
    let spies = caller.may(Right::Spy, board.name.as_str());
    let last_line = said.filter(|_| spies).and_then(|said| said.last_line.clone());
    let power = said.and_then(|said| said.power.on).map_or("", |on| if on { "on" } else { "off" });
    let why = why(&board);
    let until = board.lease.as_ref().map(|lease| Moment(lease.lease.until_us));
    Row { word, tone, why, until, power, last_line: last_line.unwrap_or_default(), board }
}

/// How a board is in a word, and whether that is good.
pub(super) fn state(board: &BoardInfo) -> (&'static str, &'static str) {
    match (board.state, board.health) {
        (BoardState::Running, _) => ("running", "busy"),
        (BoardState::Reserved, _) => ("reserved", "busy"),
        (_, BoardHealth::Bad) => ("bad", "bad"),
        (_, BoardHealth::Maintenance) => ("maintenance", "bad"),
        (_, BoardHealth::Retired) => ("retired", "off"),
        (_, BoardHealth::Looping) => ("looping", "bad"),
        _ if board.maintained_until(units::now_us() / 1_000_000).is_some() => {
            ("maintenance", "bad")
        }
        _ if board.away.is_some() => ("away", "bad"),
        _ => ("idle", "good"),
    }
}

/// Why a board cannot be had, or is not as it should be; empty when it is.
pub(super) fn why(board: &BoardInfo) -> String {
    let health = match board.health {
        BoardHealth::Good | BoardHealth::Unknown => String::new(),
        health if board.reason.is_empty() => health.as_str().to_owned(),
        // The state has said it already.
        health if state(board).0 == health.as_str() => board.reason.clone(),
        health => format!("{health}: {}", board.reason),
    };
    let away = board.away.clone().unwrap_or_default();
    [health, away].into_iter().filter(|why| !why.is_empty()).collect::<Vec<_>>().join("; ")
}
