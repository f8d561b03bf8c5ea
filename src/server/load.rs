//! The lab as the store has it, after a start.

use std::sync::Arc;

use super::ServerError;
use super::clock_set::Behind;
use super::jobs::HEALTH;
use super::state::{Board, CHECKS, Daemon, HAS_DICTIONARY, Record, State, Told};
use crate::model::{
    Announcement, BoardDescription, BoardHealth, DaemonKind, Ending, Name, RequestState, units,
};
use crate::sched::{BoardIx, Decision, Request, Seconds, Spec, SpecError};
use crate::store::{BoardRow, RequestRow, Store, StoreError, ToldRow};

/// What users have had is of the last so many seconds: the scheduler has forgotten nearly all that is older.
const REMEMBERED_S: u64 = 7 * 24 * 3600;

pub(super) async fn load(store: &Store) -> Result<State, ServerError> {
    let now_us = units::now_us();
    let mut state = State { last_id: store.last_request().await?, ..State::default() };
    for row in store.daemons().await? {
        let announcement: Announcement = parsed(&row.announcement, &row.url)?;
        let daemon = Daemon { announcement, live: true, heard: false };
        state.daemons.insert(row.url, daemon);
    }
    for row in store.boards().await? {
        put_board(&mut state, &row)?;
    }
    for board in store.boards_away().await? {
        if let Some(board) = state.boards.get_mut(&name(&board)?) {
            board.there = Some(false);
        }
    }
    for ToldRow { board, part, url, holders, until_us } in store.told().await? {
        let holders = holders.lines().map(str::to_owned).collect();
        let kind = DaemonKind::ALL.into_iter().find(|kind| kind.as_str() == part);
        let kind = kind.ok_or_else(|| StoreError::Damaged(format!("{board} has no {part:?}")))?;
        // Whether it was taken in, nobody knows any more: it is told again.
        let told = Told { url, holders, until_us, confirmed: false };
        state.told.insert((name(&board)?, kind), told);
    }
    let rows = store.requests(now_us.saturating_sub(REMEMBERED_S * 1_000_000)).await?;
    let mut records = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| record.info.since_us.unwrap_or(record.info.submitted_us));
    for record in &mut records {
        if record.info.state != RequestState::Ended {
            record.audience = record.audience.take().map(|audience| state.admit(audience));
            state.requests.insert(record.info.id, Arc::new(record.clone()));
        }
    }
    for record in records {
        if let Err(why) = take_up(&mut state, &record, now_us / 1_000_000) {
            tracing::error!(request = record.info.id, "it cannot be gone on with: {why}");
            give_up(store, &mut state, record, now_us).await?;
        }
    }
    set_windows(&mut state, now_us / 1_000_000);
    let told = state.requests.values().map(|record| &record.info).map(|info| {
        let since = info.since_us.filter(|_| info.state == RequestState::Leased);
        since.unwrap_or(info.submitted_us)
    });
    let newest_us = store.newest_us().await?.max(told.max().unwrap_or(0));
    state.behind = Behind::of(now_us, newest_us);
    state.look();
    Ok(state)
}

fn put_board(state: &mut State, row: &BoardRow) -> Result<(), ServerError> {
    let name = name(&row.name)?;
    let description: BoardDescription = parsed(&row.description, &row.name)?;
    let ix = state.schedule(&name, &description);
    let board = Board {
        description,
        health: row.health.parse().unwrap_or(BoardHealth::Unknown),
        reason: row.reason.clone(),
        windows: parsed(&row.windows, &row.name)?,
        ix,
        console: None,
        outlet: None,
        away: None,
        there: None,
    };
    state.boards.insert(name, board);
    Ok(())
}

/// Ends a request that cannot be what it was: half of what was promised, or other boards, is not it.
async fn give_up(
    store: &Store,
    state: &mut State,
    mut record: Record,
    now_us: u64,
) -> Result<(), ServerError> {
    let id = record.info.id;
    let _ = state.lab.end(id, now_us / 1_000_000);
    if state.requests.remove(&id).is_some() {
        record.audience.iter().for_each(|audience| state.dismiss(audience));
        record.info.state = RequestState::Ended;
        (record.info.ending, record.info.ended_us) = (Some(Ending::Lost), Some(now_us));
        store.put_requests(&[record.row()], &[]).await?;
    }
    Ok(())
}

/// Has the scheduler know a request as it was, also one that is over: for what its user has had.
fn take_up(state: &mut State, record: &Record, now: Seconds) -> Result<(), String> {
    let info = &record.info;
    let boards: Vec<BoardIx> =
        info.boards.iter().filter_map(|name| Some(state.boards.get(name)?.ix)).collect();
    let had = info.since_us.zip(info.until_us).filter(|_| !boards.is_empty());
    if info.state == RequestState::Ended && had.is_none() {
        return Ok(());
    }
    if info.state != RequestState::Ended && boards.len() < info.boards.len() {
        return Err("a board of it is gone".into());
    }
    let request = state.scheduled(record).map_err(|error| error.to_string())?;
    let id = info.id;
    state.lab.submit(request).map_err(|error| error.to_string())?;
    let Some((since_us, until_us)) = had else { return Ok(()) };
    let (from, until) = (since_us / 1_000_000, until_us / 1_000_000);
    let decision = match info.state {
        RequestState::Booked => Decision::Book { request: id, boards, from, until },
        _ => Decision::Lease { request: id, boards, until },
    };
    // What is booked is charged now: when it was is not known any more.
    let at = if info.state == RequestState::Booked { now } else { from };
    let applied = state.lab.restore(&decision, at);
    if info.state == RequestState::Ended {
        let ended = info.ended_us.unwrap_or(until_us) / 1_000_000;
        state.lab.end(id, ended).map_err(|error| error.to_string())?;
        return Ok(());
    }
    applied.map_err(|error| error.to_string())?;
    if info.state == RequestState::Leased {
        state.begin_lease(id, &info.boards, since_us);
    }
    Ok(())
}

fn set_windows(state: &mut State, now: Seconds) {
    for board in state.boards.values() {
        state.lab.restore_windows(board.ix, &board.windows, now);
    }
}

impl State {
    /// A request as the scheduler has it.
    pub(super) fn scheduled(&mut self, record: &Record) -> Result<Request, SpecError> {
        let info = &record.info;
        let is_check = info.job.is_some() && info.user == HEALTH;
        let group = if is_check { CHECKS } else { self.group_of(record.audience.as_ref()) };
        let group = group.to_owned();
        let also = match record.dispatched {
            true => format!(" {}={}", HAS_DICTIONARY.0, HAS_DICTIONARY.1),
            false => String::new(),
        };
        let specs = info.specs.iter().map(|text| format!("{text}{also}").parse());
        let specs = specs.collect::<Result<Vec<Spec>, _>>()?;
        let wants = specs.iter().map(|spec| self.lab.class(spec, Some(&group))).collect();
        let seconds = |us: u64| -> Seconds { us / 1_000_000 };
        Ok(Request {
            id: info.id,
            user: info.user.clone(),
            group: record.account.clone(),
            priority: info.priority,
            submitted: seconds(info.submitted_us),
            start: info.start_us.map(seconds),
            length: info.length_s,
            wants,
        })
    }
}

fn name(text: &str) -> Result<Name, ServerError> {
    text.parse().map_err(|error| damaged(text, &error))
}

pub(super) fn record(row: &RequestRow) -> Result<Record, ServerError> {
    parsed(&row.document, &format!("request {}", row.id))
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, ServerError> {
    serde_json::from_str(text).map_err(|error| damaged(what, &error))
}

fn damaged(what: &str, error: &dyn std::error::Error) -> ServerError {
    StoreError::Damaged(format!("{what}: {error}")).into()
}
