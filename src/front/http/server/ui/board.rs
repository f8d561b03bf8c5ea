//! One board: its console and power, its lease, why it cannot be used, and what has happened to it.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};

use super::super::{boards as api, requests};
use super::boards::{state, why};
use super::shown::{Moment, span};
use super::{By, Page, Top, made};
use crate::model::{BoardInfo, BoardRecord, RequestInfo, Right};
use crate::server::Server;

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage {
    top: Top,
    word: &'static str,
    tone: &'static str,
    why: String,
    board: BoardInfo,
    lease: Option<Lease>,
    /// When it is in maintenance.
    maintenance: Vec<(Moment, Moment)>,
    history: Vec<(Moment, BoardRecord)>,
    /// What the caller may here.
    spies: bool,
    writes: bool,
    controls: bool,
}

/// Who has it.
struct Lease {
    info: RequestInfo,
    since: Option<Moment>,
    until: Option<Moment>,
    /// It was asked for so long.
    length: String,
}

pub(super) async fn page(
    State(server): State<Server>,
    Path(name): Path<String>,
    caller: By,
) -> Page {
    let Extension(caller) = caller;
    let board =
        api::get(State(server.clone()), Path(name.clone()), Extension(caller.clone())).await?.0;
    let lease = match &board.lease {
        // It may have ended just now.
        Some(lease) => requests::look(&server, lease.id, None, &caller).await.ok(),
        None => None,
    };
    let lease = lease.map(|info| Lease {
        since: info.since_us.map(Moment),
        until: info.until_us.map(Moment),
        length: span(info.length_s * 1000),
        info,
    });
    let mut history = api::history(State(server), Path(name.clone())).await?.0;
    history.reverse();
    let history = history.into_iter().map(|record| (Moment(record.time_us), record)).collect();
    let windows = board.maintenance.iter();
    let moment = |seconds: u64| Moment(seconds.saturating_mul(1_000_000));
    let maintenance = windows.map(|(from, until)| (moment(*from), moment(*until))).collect();
    let (word, tone) = state(&board);
    let may = |right| caller.may(right, &name);
    made(&BoardPage {
        top: Top::new("boards", board.name.as_str(), &caller),
        word,
        tone,
        why: why(&board),
        lease,
        maintenance,
        history,
        spies: may(Right::Spy),
        writes: may(Right::Write),
        controls: may(Right::Control),
        board,
    })
}
