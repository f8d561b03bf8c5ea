//! Boards and the daemons that serve them.

use super::jobs::check_health_check;
use super::resolve::{Index, check, collection, part_name};
use super::state::{Board, Daemon, State};
use super::{ANNOUNCE_S, STALE_S, Server, ServerError};
use crate::client::Endpoint;
use crate::model::{
    Announced, Announcee, Announcement, BoardDescription, BoardHealth, BoardInfo, BoardRecord,
    DaemonInfo, DaemonKind, Name, units,
};
use crate::sched::Seconds;
use crate::store::{BoardRow, DaemonRow, EventRow};

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
    /// Hears of a daemon.
    ///
    /// # Errors
    /// When its URL is none.
    pub async fn announce(&self, announcement: Announcement) -> Result<Announced, ServerError> {
        announcement.url.parse::<Endpoint>().map_err(ServerError::Wrong)?;
        let mut state = self.0.state.lock().await;
        let seen_us = units::now_us();
        let url = announcement.url.clone();
        let before = state.daemons.get(&url);
        let same = before.is_some_and(|before| before.announcement == announcement);
        let revived = before.is_none_or(|before| !before.live);
        if !same {
            let text = serde_json::to_string(&announcement).unwrap_or_default();
            let row = DaemonRow { url: url.clone(), announcement: text, seen_us };
            self.0.store.put_daemon(&row).await?;
        }
        // After a restart it may be somewhere else.
        for old in state.replaced_by(&announcement) {
            self.0.store.remove_daemon(&old).await?;
            state.daemons.remove(&old);
        }
        state.daemons.insert(url.clone(), Daemon { announcement, seen_us, live: true });
        if revived {
            tracing::info!(url, "a daemon is here");
        }
        if !same || revived {
            state.unlooked = true;
            self.changed();
        }
        Ok(Announced { again_s: ANNOUNCE_S })
    }

    pub async fn daemons(&self) -> Vec<DaemonInfo> {
        let state = self.0.state.lock().await;
        let info = |daemon: &Daemon| {
            let Announcement { kind, host, url, version, .. } = daemon.announcement.clone();
            DaemonInfo { kind, host, url, version, live: daemon.live, seen_us: daemon.seen_us }
        };
        state.daemons.values().map(info).collect()
    }

    /// Forgets a daemon until it announces itself again.
    ///
    /// # Errors
    /// When it is not known.
    pub async fn forget_daemon(&self, url: &str) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        if !state.daemons.contains_key(url) {
            return Err(ServerError::Wrong(format!("no daemon of {url} is known")));
        }
        self.0.store.remove_daemon(url).await?;
        state.daemons.remove(url);
        state.unlooked = true;
        self.changed();
        Ok(())
    }

    /// The consoles, or the outlets, that are announced.
    pub async fn announced(&self, kind: DaemonKind) -> Vec<Announcee> {
        let state = self.0.state.lock().await;
        let place = |board: &Board| match kind {
            DaemonKind::Serial => board.console.as_ref().map(|place| place.url.clone()),
            DaemonKind::Power => board.outlet.as_ref().map(|place| place.url.clone()),
        };
        let owners: std::collections::HashMap<String, &Name> =
            state.boards.iter().filter_map(|(name, it)| Some((place(it)?, name))).collect();
        let mut all = Vec::new();
        for daemon in state.daemons.values().filter(|daemon| daemon.announcement.kind == kind) {
            let said = &daemon.announcement;
            let names = said.consoles.iter().chain(said.outlets.iter().map(|outlet| &outlet.name));
            all.extend(names.map(|name| {
                let separator = if said.url.starts_with("unix:") { ":" } else { "" };
                let url = format!("{}{separator}/{}/{name}", said.url, collection(kind));
                let board = owners.get(&url).map(|name| (*name).clone());
                let (host, name) = (said.host.clone(), name.clone());
                Announcee { host, name, url, live: daemon.live, board }
            }));
        }
        all
    }

    pub async fn boards(&self) -> Vec<BoardInfo> {
        let state = self.looked().await;
        state.boards.iter().map(|(name, board)| state.info(name, board)).collect()
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
        let mut state = self.0.state.lock().await;
        let before = state.boards.get(&name);
        if new && before.is_some() {
            return Err(ServerError::BoardThere(name));
        }
        if before.is_none() && description.console.is_none() && description.outlet.is_none() {
            state.guess_parts(&name, &mut description);
        }
        state.check_parts(&name, &description)?;
        let before = state.boards.get(&name);
        let (what, health) = match before {
            None => ("added", BoardHealth::Unknown),
            Some(before) => ("changed", before.health),
        };
        let reason = before.map(|before| before.reason.clone()).unwrap_or_default();
        let windows = before.map(|before| before.windows.clone()).unwrap_or_default();
        let (console, outlet) =
            before.map(|it| (it.console.clone(), it.outlet.clone())).unwrap_or_default();
        // What is long is kept once.
        let (dictionary, health_check) = (None, None);
        let short = BoardDescription { dictionary, health_check, ..description.clone() };
        let detail = serde_json::to_string(&short).unwrap_or_default();
        let row = row(&name, &description, health, &reason, &windows);
        self.0.store.put_board(&row, &event(&name, who, what, &detail)).await?;
        let ix = state.schedule(&name, &description);
        let board = Board { description, health, reason, windows, ix, console, outlet, away: None };
        state.boards.insert(name.clone(), board);
        state.look();
        self.changed();
        let (name, board) = state.find(name.as_str())?;
        Ok(state.info(name, board))
    }

    /// # Errors
    /// When there is none, or somebody has it.
    pub async fn remove_board(&self, name: &str, who: &str) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        let (name, board) = state.find(name)?;
        let (name, ix) = (name.clone(), board.ix);
        if let Some(lease) = state.lease_of(&name) {
            let (user, id) = (lease.user.clone(), lease.id);
            return Err(ServerError::BoardLeased { name, user, id });
        }
        self.0.store.remove_board(&event(&name, who, "removed", "")).await?;
        state.lab.take_out(ix);
        state.boards.remove(&name);
        self.changed();
        Ok(())
    }

    /// Says how healthy a board is. Whoever has it keeps it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn set_health(
        &self,
        name: &str,
        health: BoardHealth,
        reason: &str,
        who: &str,
    ) -> Result<BoardInfo, ServerError> {
        let mut state = self.0.state.lock().await;
        let name = state.find(name)?.0.clone();
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
        let info = state.info(&name, &board);
        state.boards.insert(name, board);
        state.look();
        self.changed();
        Ok(info)
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
        let mut state = self.0.state.lock().await;
        let (name, board) = state.find(name)?;
        let (name, mut board) = (name.clone(), board.clone());
        state.lab.set_windows(board.ix, &windows)?;
        let before = std::mem::replace(&mut board.windows, windows);
        let detail = serde_json::to_string(&board.windows).unwrap_or_default();
        let event = event(&name, who, "maintenance", &detail);
        if let Err(error) = self.0.store.put_board(&row_of(&name, &board), &event).await {
            // It was so a moment ago.
            let _ = state.lab.set_windows(board.ix, &before);
            return Err(error.into());
        }
        state.boards.insert(name, board);
        self.changed();
        Ok(())
    }

    /// The state, of which it is known which boards can be used.
    pub(super) async fn looked(&self) -> tokio::sync::MutexGuard<'_, State> {
        let mut state = self.0.state.lock().await;
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

    /// Daemons that nothing was heard of for too long are dead. When the next one may be.
    pub(super) fn age(&mut self, now_us: u64) -> Option<Seconds> {
        for daemon in self.daemons.values_mut() {
            // A clock that was set back revives nobody.
            daemon.seen_us = daemon.seen_us.min(now_us);
            if daemon.live && daemon.seen_us + STALE_S * 1_000_000 <= now_us {
                daemon.live = false;
                self.unlooked = true;
                let url = daemon.announcement.url.as_str();
                tracing::warn!(url, "nothing is heard of a daemon any more");
            }
        }
        let live = self.daemons.values().filter(|daemon| daemon.live);
        live.map(|daemon| daemon.seen_us / 1_000_000 + STALE_S + 1).min()
    }

    /// What has announced the same at another address.
    fn replaced_by(&self, new: &Announcement) -> Vec<String> {
        let names = |said: &Announcement| -> Vec<Name> {
            let outlets = said.outlets.iter().map(|outlet| outlet.name.clone());
            said.consoles.iter().cloned().chain(outlets).collect()
        };
        let named = names(new);
        let old = self.daemons.values().map(|daemon| &daemon.announcement);
        let old =
            old.filter(|old| (old.kind, &old.host) == (new.kind, &new.host) && old.url != new.url);
        let same = old.filter(|old| !named.is_empty() && names(old) == named);
        same.map(|old| old.url.clone()).collect()
    }

    /// A console and an outlet of the board's name are its own.
    fn guess_parts(&self, name: &Name, description: &mut BoardDescription) {
        let index = Index::new(&self.daemons);
        let found = |kind| index.find(kind, name.as_str()).ok().map(|_| name.to_string());
        description.console = found(DaemonKind::Serial);
        description.outlet = found(DaemonKind::Power);
    }

    fn check_parts(&self, name: &Name, new: &BoardDescription) -> Result<(), ServerError> {
        let index = Index::new(&self.daemons);
        let parts = |of: &BoardDescription| {
            [(DaemonKind::Serial, of.console.clone()), (DaemonKind::Power, of.outlet.clone())]
        };
        for (kind, part) in parts(new) {
            let Some(part) = part else { continue };
            check(kind, &part).map_err(ServerError::Wrong)?;
            let place = |part: &str| index.find(kind, part).map_or(part.to_owned(), |it| it.url);
            let here = place(&part);
            let others = self.boards.iter().filter(|(other, _)| *other != name);
            for (owner, board) in others {
                let theirs = parts(&board.description).into_iter().find(|(k, _)| *k == kind);
                if theirs.and_then(|(_, part)| part).is_some_and(|part| place(&part) == here) {
                    let (what, owner) =
                        (format!("{part} is the {}", part_name(kind)), owner.clone());
                    return Err(ServerError::Assigned { what, owner });
                }
            }
        }
        Ok(())
    }
}

fn check_texts(description: &BoardDescription) -> Result<(), ServerError> {
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

fn row_of(name: &Name, board: &Board) -> BoardRow {
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
