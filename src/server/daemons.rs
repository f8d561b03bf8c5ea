//! The daemons that serve consoles and outlets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::heard::Heard;
use super::resolve::{is_at, same_things};
use super::state::{Board, Daemon, State};
use super::{ANNOUNCE_S, STALE, Server, ServerError};
use crate::client::Endpoint;
use crate::model::{Announced, Announcee, Announcement, DaemonInfo, DaemonKind, Name, units};
use crate::store::DaemonRow;

/// What daemons have said, by their URLs.
type Announcements = Heard<String, Announcement>;

impl Server {
    /// Hears of a daemon; `here` is one that speaks to us from our own host.
    ///
    /// # Errors
    /// When nobody else could find it by its URL, or another daemon that lives is there.
    pub async fn announce(
        &self,
        announcement: Announcement,
        here: bool,
    ) -> Result<Announced, ServerError> {
        let endpoint: Endpoint = announcement.url.parse().map_err(ServerError::Wrong)?;
        if !here && endpoint.is_local() {
            let (url, host) = (&announcement.url, &announcement.host);
            return Err(ServerError::Wrong(format!(
                "{url} is found on its own host alone, and {host} is another one than the server's: \
                 have the daemon listen where others reach it, or say where that is: [server] here"
            )));
        }
        let again = Announced { again_s: ANNOUNCE_S };
        if self.0.daemons.again(&announcement.url, &announcement) {
            return Ok(again);
        }
        let mut state = self.0.state.lock().await;
        if let Some(other) = state.in_the_way(&announcement, &self.0.daemons) {
            return Err(ServerError::Wrong(other));
        }
        let seen_us = units::now_us();
        let url = announcement.url.clone();
        let before = state.daemons.get(&url);
        let used = before.map_or_else(Vec::new, |it| newly_used(&it.announcement, &announcement));
        let lasting = Announcement { used: BTreeMap::new(), ..announcement.clone() };
        let same = before.is_some_and(|it| {
            Announcement { used: BTreeMap::new(), ..it.announcement.clone() } == lasting
        });
        // Only who has leased its outlets, perhaps.
        let same_things = before.is_some_and(|it| same_things(&it.announcement, &announcement));
        let revived = before.is_none_or(|before| !before.live);
        let anew = before.is_none_or(|it| it.announcement.instance != announcement.instance);
        if !same {
            let text = serde_json::to_string(&lasting).unwrap_or_default();
            let row = DaemonRow { url: url.clone(), announcement: text, seen_us };
            self.0.store.put_daemon(&row).await?;
        }
        // After a restart it may be somewhere else.
        for old in state.replaced_by(&announcement, &self.0.daemons) {
            self.remove_daemon(&mut state, &old).await?;
        }
        for (board, it) in &state.boards {
            let console = it.console.as_ref().filter(|place| is_at(&place.url, &url));
            let name = console.and_then(|place| place.url.rsplit('/').next());
            if name.is_some_and(|name| used.iter().any(|used| used.as_str() == name)) {
                self.0.used.say(board.clone(), ());
            }
        }
        self.0.daemons.say(url.clone(), announcement.clone());
        state.daemons.insert(url.clone(), Daemon { announcement, live: true, heard: true });
        if anew {
            state.doubt(&url);
        }
        if revived {
            tracing::info!(url, "a daemon is here");
        }
        if !same_things {
            state.index = None;
            state.unlooked = true;
            self.give_parts(&mut state, &url).await?;
        }
        if same_things && !revived {
            state.boards_at(&url).iter().for_each(|board| state.look_at(board));
        } else {
            state.unlooked = true;
        }
        if !same || revived {
            self.changed();
        }
        Ok(again)
    }

    pub async fn daemons(&self) -> Vec<DaemonInfo> {
        let state = self.0.state.lock().await;
        let info = |daemon: &Daemon| {
            let Announcement { kind, host, url, version, .. } = daemon.announcement.clone();
            let silence = self.0.daemons.silence(&url).as_micros() as u64;
            let seen_us = units::now_us().saturating_sub(silence);
            DaemonInfo { kind, host, url, version, live: daemon.live, seen_us }
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
        self.remove_daemon(&mut state, url).await?;
        self.changed();
        Ok(())
    }

    pub(super) async fn remove_daemon(
        &self,
        state: &mut State,
        url: &str,
    ) -> Result<(), ServerError> {
        self.0.store.remove_daemon(url).await?;
        state.daemons.remove(url);
        self.0.daemons.forget(&url.to_owned());
        state.index = None;
        state.unlooked = true;
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
                let url = format!("{}/{name}", kind.place(&said.url));
                let board = owners.get(&url).map(|name| (*name).clone());
                let (host, name) = (said.host.clone(), name.clone());
                Announcee { host, name, url, live: daemon.live, board }
            }));
        }
        all
    }
}

impl State {
    /// Daemons that nothing was heard of for too long are dead. In how long the next one may be.
    pub(super) fn age(&mut self, heard: &Announcements) -> Option<Duration> {
        let mut next = None;
        for (url, daemon) in self.daemons.iter_mut().filter(|(_, daemon)| daemon.live) {
            let left = STALE.saturating_sub(heard.silence(url));
            if left.is_zero() {
                // What it says next is news.
                heard.unsay(url);
                daemon.live = false;
                self.unlooked = true;
                tracing::warn!(url, "nothing is heard of a daemon any more");
            } else {
                // Sooner when another one may have taken its place.
                let silent = Duration::from_secs(ANNOUNCE_S).saturating_sub(heard.silence(url));
                let left = if silent.is_zero() { left } else { silent };
                next = Some(next.map_or(left, |next: Duration| next.min(left)));
            }
        }
        next
    }

    /// Who else lives at the URL that a daemon announces, if somebody does: two hosts that are both "here" to
    /// themselves, behind one name or one forwarded port.
    fn in_the_way(&self, new: &Announcement, heard: &Announcements) -> Option<String> {
        let there = self.daemons.get(&new.url).filter(|there| there.live && there.heard)?;
        let old = &there.announcement;
        let spoke = heard.silence(&new.url).as_secs() < ANNOUNCE_S;
        let same = (old.kind, &old.host) == (new.kind, &new.host);
        (spoke && !same).then(|| {
            format!(
                "{} is where lava-{} on {} is found; say where this one is: [server] here",
                new.url,
                old.kind.as_str(),
                old.host
            )
        })
    }

    /// The daemons whose place others have taken that live.
    pub(super) fn outlived(&self, heard: &Announcements) -> Vec<String> {
        let speaks = |url: &String| heard.silence(url).as_secs() < ANNOUNCE_S;
        let live = self.daemons.iter().filter(|(url, it)| it.live && it.heard && speaks(url));
        live.map(|(_, daemon)| daemon)
            .flat_map(|daemon| self.replaced_by(&daemon.announcement, heard))
            .collect()
    }

    /// What has announced the same at another address, and does so no more: it was started anew. Of several that
    /// live, each goes on.
    fn replaced_by(&self, new: &Announcement, heard: &Announcements) -> Vec<String> {
        let names = |said: &Announcement| -> Vec<Name> {
            let outlets = said.outlets.iter().map(|outlet| outlet.name.clone());
            said.consoles.iter().cloned().chain(outlets).collect()
        };
        let named = names(new);
        let gone = |old: &&Daemon| {
            let silent = heard.silence(&old.announcement.url).as_secs() >= ANNOUNCE_S;
            let instance = &old.announcement.instance;
            let same = !instance.is_empty() && *instance == new.instance;
            !old.live || !old.heard || silent || same
        };
        let old = self.daemons.values().filter(gone).map(|daemon| &daemon.announcement);
        let old =
            old.filter(|old| (old.kind, &old.host) == (new.kind, &new.host) && old.url != new.url);
        let same = old.filter(|old| !named.is_empty() && names(old) == named);
        same.map(|old| old.url.clone()).collect()
    }
}

/// The consoles that were used since an announcement.
fn newly_used(before: &Announcement, now: &Announcement) -> Vec<Name> {
    let used = now.used.iter().filter(|(name, used)| before.used.get(*name) != Some(*used));
    used.map(|(name, _)| name.clone()).collect()
}
