//! Boards: what an admin says of them.

use std::collections::{BTreeSet, HashMap};

use super::jobs::check_health_check;
use super::resolve::{check, part_name};
use super::state::{Board, State};
use super::{JobError, Server, ServerError, US};
use crate::model::{
    BoardDescription, BoardHealth, BoardInfo, BoardRecord, DaemonKind, Name, RequestState, units,
};
use crate::sched::Seconds;
use crate::store::{BoardRow, EventRow};

/// Texts of a board's description are no longer than this, in bytes, and it has so many at most.
const MAX_TEXT: usize = 200;
const MAX_TEXTS: usize = 64;
/// Its dictionary and its health check are no longer than this, in bytes.
const MAX_LONG_TEXT: usize = 256 * 1024;
/// So much of a board's history is told.
const HISTORY: u32 = 200;
/// So many windows of maintenance a board has at most.
const MAX_WINDOWS: usize = 32;

impl Server {
    pub async fn boards(&self) -> Vec<BoardInfo> {
        let state = self.looked().await;
        state.boards.iter().map(|(name, board)| state.info(name, board)).collect()
    }

    /// Of which type each board is.
    pub async fn kinds(&self) -> HashMap<String, String> {
        let state = self.0.state.lock().await;
        let boards = state.boards.iter();
        boards.map(|(name, it)| (name.to_string(), it.description.kind.to_string())).collect()
    }

    /// # Errors
    /// When there is none of that name.
    pub async fn board(&self, name: &str) -> Result<BoardInfo, ServerError> {
        let state = self.looked().await;
        let (name, board) = state.find(name)?;
        Ok(state.info(name, board))
    }

    /// The newest of what has happened to a board, also to one that is gone.
    ///
    /// # Errors
    /// When nothing ever has.
    pub async fn history(&self, name: &str) -> Result<Vec<BoardRecord>, ServerError> {
        let events = self.0.store.board_events(name, HISTORY).await?;
        if events.is_empty() {
            self.0.state.lock().await.find(name)?;
        }
        let record = |event: EventRow| {
            let EventRow { time_us, who, what, detail, .. } = event;
            BoardRecord { time_us, who, what, detail }
        };
        Ok(events.into_iter().map(record).collect())
    }

    /// Adds a board, or, unless it is to be `new`, describes it anew.
    ///
    /// # Errors
    /// When the description is none, or its console or outlet belongs to another board.
    pub async fn put_board(
        &self,
        name: Name,
        mut description: BoardDescription,
        new: bool,
        who: &str,
    ) -> Result<BoardInfo, ServerError> {
        check_texts(&description)?;
        check_health_check(&description)?;
        // Whoever describes a machine that its worker offers has it be theirs.
        description.offered = false;
        let mut state = self.0.state.lock().await;
        let before = state.boards.get(&name);
        if let Some(before) = before {
            description = description.knowing(&name, &before.description);
        }
        if new && before.is_some_and(|before| !before.description.offered) {
            return Err(ServerError::BoardThere(name));
        }
        if before.is_none() {
            state.guess_parts(&name, &mut description);
        }
        state.check_parts(&name, &description)?;
        self.describe(&mut state, name.clone(), description, who).await?;
        let (name, board) = state.find(name.as_str())?;
        Ok(state.info(name, board))
    }

    /// Gives boards that were there before them the consoles and outlets of their names that a daemon has announced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn give_parts(&self, state: &mut State, url: &str) -> Result<(), ServerError> {
        let Some(daemon) = state.daemons.get(url) else { return Ok(()) };
        let said = &daemon.announcement;
        let names = said.consoles.iter().chain(said.outlets.iter().map(|outlet| &outlet.name));
        let boards = names.filter_map(|name| state.boards.get_key_value(name));
        let boards = boards.filter(|(_, board)| !board.description.offered);
        let boards: Vec<_> =
            boards.map(|(name, board)| (name.clone(), board.description.clone())).collect();
        for (name, before) in boards {
            let mut description = before.clone();
            state.guess_parts(&name, &mut description);
            if description != before {
                self.describe(state, name, description, US).await?;
            }
        }
        Ok(())
    }

    /// Writes a description that was looked at, with the state in hand.
    pub(super) async fn describe(
        &self,
        state: &mut State,
        name: Name,
        description: BoardDescription,
        who: &str,
    ) -> Result<(), ServerError> {
        let before = state.boards.get(&name);
        let (what, health) = match before {
            None => ("added", BoardHealth::Unknown),
            Some(before) => ("changed", before.health),
        };
        let reason = before.map(|before| before.reason.clone()).unwrap_or_default();
        let windows = before.map(|before| before.windows.clone()).unwrap_or_default();
        let (console, outlet, there) =
            before.map(|it| (it.console.clone(), it.outlet.clone(), it.there)).unwrap_or_default();
        // What is long is kept once.
        let (dictionary, health_check) = (None, None);
        let short = BoardDescription { dictionary, health_check, ..description.clone() };
        let detail = serde_json::to_string(&short).unwrap_or_default();
        let row = row(&name, &description, health, &reason, &windows);
        self.0.store.put_board(&row, &event(&name, who, what, &detail)).await?;
        let kind = BTreeSet::from([description.kind.clone()]);
        state.types.extend(self.with_template(kind).await);
        let ix = state.schedule(&name, &description);
        let away = None;
        let board =
            Board { description, health, reason, windows, ix, console, outlet, away, there };
        state.boards.insert(name.clone(), board);
        state.look_at(&name);
        state.note_board(&name);
        self.changed();
        Ok(())
    }

    /// # Errors
    /// When there is none, or somebody has it or will have it.
    pub async fn remove_board(&self, name: &str, who: &str) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        let (name, board) = state.find(name)?;
        let (name, ix) = (name.clone(), board.ix);
        if let Some(lease) = state.lease_of(&name) {
            let (user, id) = (lease.user.clone(), lease.id);
            return Err(ServerError::BoardLeased { name, user, id });
        }
        let booked = state.requests.values().map(|record| &record.info);
        let mut booked = booked.filter(|info| info.state == RequestState::Booked);
        if let Some(info) = booked.find(|info| info.boards.contains(&name)) {
            let (user, id) = (info.user.clone(), info.id);
            return Err(ServerError::BoardBooked { name, user, id });
        }
        self.0.store.remove_board(&event(&name, who, "removed", "")).await?;
        state.lab.take_out(ix);
        state.boards.remove(&name);
        state.note_board(&name);
        self.changed();
        Ok(())
    }

    /// Says how healthy a board is. Whoever has it keeps it.
    ///
    /// # Errors
    /// When there is none of that name, or it is to loop and has no health check.
    pub async fn set_health(
        &self,
        name: &str,
        health: BoardHealth,
        reason: &str,
        who: &str,
    ) -> Result<BoardInfo, ServerError> {
        let mut state = self.0.state.lock().await;
        let (name, board) = state.find(name)?;
        let name = name.clone();
        if health == BoardHealth::Looping && board.description.health_check.is_none() {
            return Err(JobError::NoCheck(name).into());
        }
        self.change_health(&mut state, &name, health, reason, who).await
    }

    /// The same with the state in hand.
    pub(super) async fn change_health(
        &self,
        state: &mut State,
        name: &Name,
        health: BoardHealth,
        reason: &str,
        who: &str,
    ) -> Result<BoardInfo, ServerError> {
        let (name, board) = state.find(name.as_str())?;
        let (name, mut board) = (name.clone(), board.clone());
        let detail = format!("{} → {health}: {reason}", board.health);
        (board.health, board.reason) = (health, reason.to_owned());
        self.0
            .store
            .put_board(&row_of(&name, &board), &event(&name, who, "health", &detail))
            .await?;
        state.boards.insert(name.clone(), board);
        state.look_at(&name);
        self.changed();
        let (name, board) = state.find(name.as_str())?;
        Ok(state.info(name, board))
    }

    /// Sets when a board is in maintenance, in place of what was set before.
    ///
    /// # Errors
    /// When it is leased or booked then.
    pub async fn set_windows(
        &self,
        name: &str,
        windows: Vec<(Seconds, Seconds)>,
        who: &str,
    ) -> Result<(), ServerError> {
        if windows.len() > MAX_WINDOWS {
            let what = format!("a board has {MAX_WINDOWS} windows of maintenance at most");
            return Err(ServerError::Wrong(what));
        }
        if let Some((from, until)) = windows.iter().find(|(from, until)| from >= until) {
            let what =
                format!("a window of maintenance ends after it begins, not from {from} to {until}");
            return Err(ServerError::Wrong(what));
        }
        let mut state = self.0.state.lock().await;
        let (name, board) = state.find(name)?;
        let (name, mut board) = (name.clone(), board.clone());
        let now = units::now_us() / 1_000_000;
        state.lab.set_windows(board.ix, &windows, now)?;
        let before = std::mem::replace(&mut board.windows, windows);
        let time = |at: &Seconds| units::time_text(at.saturating_mul(1_000_000));
        let windows = board.windows.iter();
        let windows = windows.map(|(from, until)| format!("{} to {}", time(from), time(until)));
        let detail = match windows.collect::<Vec<_>>() {
            none if none.is_empty() => "none is planned any more".to_owned(),
            all => all.join(", "),
        };
        let event = event(&name, who, "maintenance", &detail);
        if let Err(error) = self.0.store.put_board(&row_of(&name, &board), &event).await {
            state.lab.restore_windows(board.ix, &before, now);
            return Err(error.into());
        }
        state.boards.insert(name, board);
        self.changed();
        Ok(())
    }

    /// The state, of which it is known which boards can be used; its times are by the clock as it is set now.
    pub(super) async fn looked(&self) -> tokio::sync::MutexGuard<'_, State> {
        let mut state = self.0.state.lock().await;
        if let Err(error) = self.heed_clock(&mut state).await {
            tracing::error!("that the clock was set is not heeded yet: {error}");
        }
        if state.unlooked {
            state.look();
        }
        state
    }
}

impl State {
    pub(super) fn find(&self, name: &str) -> Result<(&Name, &Board), ServerError> {
        self.boards.get_key_value(name).ok_or_else(|| {
            let near = Name::nearest(name, self.boards.keys().map(Name::as_str));
            let near = near.and_then(|near| near.parse().ok());
            ServerError::NoBoard { name: name.to_owned(), near }
        })
    }

    /// A console and an outlet of the board's name are its own, unless its parts have other names.
    fn guess_parts(&mut self, name: &Name, description: &mut BoardDescription) {
        let BoardDescription { console, outlet, .. } = description;
        let named = |part: &Option<String>| part.as_ref().is_some_and(|part| part != name.as_str());
        if named(console) || named(outlet) {
            return;
        }
        // Whose what is announced is already.
        if self.unlooked {
            self.look();
        }
        for (kind, part) in [(DaemonKind::Serial, console), (DaemonKind::Power, outlet)] {
            let called = name.as_str();
            let free = |state: &mut Self| {
                state.url_of(kind, called).is_some() && state.owner(name, kind, called).is_none()
            };
            if part.is_none() && free(self) {
                *part = Some(name.to_string());
            }
        }
    }

    /// Where a part is that is announced.
    pub(super) fn url_of(&mut self, kind: DaemonKind, part: &str) -> Option<String> {
        self.indexed();
        Some(self.index.as_ref()?.find(&self.daemons, kind, part).ok()?.url)
    }

    pub(super) fn check_parts(
        &mut self,
        name: &Name,
        new: &BoardDescription,
    ) -> Result<(), ServerError> {
        let parts = [(DaemonKind::Serial, &new.console), (DaemonKind::Power, &new.outlet)];
        for (kind, part) in parts {
            let Some(part) = part else { continue };
            check(kind, part).map_err(ServerError::Wrong)?;
            if let Some(owner) = self.owner(name, kind, part) {
                let what = format!("{part} is the {}", part_name(kind));
                return Err(ServerError::Assigned { what, owner: owner.clone() });
            }
        }
        Ok(())
    }

    /// Which other board than this one has a console or an outlet.
    fn owner(&mut self, name: &Name, kind: DaemonKind, part: &str) -> Option<&Name> {
        let here = self.url_of(kind, part);
        let others = self.boards.iter().filter(|(other, _)| *other != name);
        let mut owners = others.filter(|(_, it)| {
            let (theirs, place) = match kind {
                DaemonKind::Serial => (&it.description.console, &it.console),
                DaemonKind::Power => (&it.description.outlet, &it.outlet),
            };
            let there = place.as_ref().filter(|_| theirs.is_some()).map(|it| &it.url);
            theirs.as_deref() == Some(part) || there.is_some() && there == here.as_ref()
        });
        owners.next().map(|(owner, _)| owner)
    }
}

pub(super) fn check_texts(description: &BoardDescription) -> Result<(), ServerError> {
    let BoardDescription { tags, attributes, .. } = description;
    if tags.len() > MAX_TEXTS || attributes.len() > MAX_TEXTS {
        let what = format!("a board has {MAX_TEXTS} tags and {MAX_TEXTS} attributes at most");
        return Err(ServerError::Wrong(what));
    }
    let keys = tags.iter().chain(attributes.keys());
    for key in keys.clone() {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if key.is_empty() || !key.chars().all(good) {
            let what = format!("{key:?}: a tag or an attribute is a word of letters and digits");
            return Err(ServerError::Wrong(what));
        }
    }
    if let Some(key) = attributes.keys().find(|key| matches!(key.as_str(), "name" | "type" | "tag"))
    {
        let what = format!("{key:?} is no attribute: every board has a name, a type and tags");
        return Err(ServerError::Wrong(what));
    }
    for text in [&description.dictionary, &description.health_check].into_iter().flatten() {
        if text.len() > MAX_LONG_TEXT {
            let what =
                format!("a dictionary, or a health check, has {MAX_LONG_TEXT} bytes at most");
            return Err(ServerError::Wrong(what));
        }
    }
    for text in keys.chain(attributes.values()) {
        if text.len() > MAX_TEXT || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            let what = format!("{text:?} is longer than {MAX_TEXT} bytes, or has spaces in it");
            return Err(ServerError::Wrong(what));
        }
    }
    Ok(())
}

fn row(
    name: &Name,
    description: &BoardDescription,
    health: BoardHealth,
    reason: &str,
    windows: &[(Seconds, Seconds)],
) -> BoardRow {
    BoardRow {
        name: name.to_string(),
        description: serde_json::to_string(description).unwrap_or_default(),
        health: health.as_str().to_owned(),
        reason: reason.to_owned(),
        windows: serde_json::to_string(windows).unwrap_or_default(),
    }
}

pub(super) fn row_of(name: &Name, board: &Board) -> BoardRow {
    row(name, &board.description, board.health, &board.reason, &board.windows)
}

pub(super) fn event(board: &Name, who: &str, what: &str, detail: &str) -> EventRow {
    EventRow {
        board: board.to_string(),
        time_us: units::now_us(),
        who: who.to_owned(),
        what: what.to_owned(),
        detail: detail.to_owned(),
    }
}
