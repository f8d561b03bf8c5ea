//! What is on the screen, and what is done about it. No input or output of its own: keys and news go in,
//! [`Effect`]s and cells come out.

pub(super) mod boards;
pub(super) mod emulator;
mod input;
mod list_keys;
pub(super) mod overlay;
pub(super) mod pane;
mod pane_keys;
pub(super) mod past;
mod power;
#[cfg(test)]
pub(super) mod tests;

use bytes::Bytes;

use self::boards::{Boards, Id};
use self::overlay::{List, Overlay, Rows};
use self::pane::{Linked, Pane, shown};
use self::past::{Places, Want};
use super::layout;
use super::work::{News, PaneNews};
use crate::client::attach::Item;
use crate::client::{ConsoleRef, OutletRef};
use crate::config::top::TopConfig;
use crate::model::event::Mode;
use crate::model::{Name, PowerRequest, Verb};
use crate::wire::attach;

/// The most consoles that are shown beside each other.
pub(super) const MAX_PANES: usize = 16;
/// The most lines of a search that are listed.
pub(super) const MAX_FOUND: usize = 10_000;

/// What is to be done outside.
#[derive(Debug)]
pub(super) enum Effect {
    /// Look for boards, and ask all outlets.
    Look,
    /// Attach to a console for the pane of a number.
    Attach {
        pane: u64,
        console: ConsoleRef,
        room: (u16, u16),
        mode: Mode,
    },
    Detach {
        pane: u64,
    },
    Type {
        pane: u64,
        bytes: Bytes,
    },
    Ask {
        pane: u64,
        verb: attach::Verb,
    },
    Page {
        pane: u64,
        console: ConsoleRef,
        want: Want,
    },
    /// Search the record of a pane's console.
    Search {
        pane: u64,
        console: ConsoleRef,
        pattern: String,
    },
    SearchAll {
        ticket: u64,
        consoles: Vec<(Id, ConsoleRef)>,
        pattern: String,
    },
    Events {
        ticket: u64,
        console: ConsoleRef,
    },
    Power {
        id: Id,
        board: Name,
        outlet: OutletRef,
        /// Where everyone is told of it.
        console: Option<ConsoleRef>,
        verb: Verb,
        request: PowerRequest,
    },
    State {
        outlet: OutletRef,
    },
    Message {
        console: ConsoleRef,
        text: String,
    },
}

/// What is on the screen: all of it.
#[derive(Debug)]
pub(super) struct App {
    pub(super) config: TopConfig,
    user: String,
    /// The mode in which consoles are attached to.
    mode: Mode,
    /// Columns and rows.
    pub(super) size: (u16, u16),
    pub(super) boards: Boards,
    /// The consoles that are open. Without any the list of the boards is shown.
    pub(super) panes: Vec<Pane>,
    pub(super) focus: usize,
    pub(super) zoom: bool,
    /// What is typed goes to the console in focus.
    pub(super) typing: bool,
    pub(super) overlay: Option<Overlay>,
    /// What came of the last thing that was done: whether it is bad, and what.
    pub(super) said: Option<(bool, String)>,
    /// Boards whose consoles are to be opened as soon as they are known.
    opening: Vec<String>,
    /// Without the list of the boards behind them: closing the last console leaves.
    only_panes: bool,
    numbers: u64,
    effects: Vec<Effect>,
    pub(super) wants: Wants,
}

/// What is to be done to the terminal or to the program.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wants {
    pub(super) quit: bool,
    pub(super) redraw: bool,
    pub(super) suspend: bool,
}

impl App {
    pub(super) fn new(config: TopConfig, user: String, size: (u16, u16)) -> Self {
        let boards = Boards::new(config.sort);
        Self {
            config,
            user,
            mode: Mode::Rw,
            size,
            boards,
            panes: Vec::new(),
            focus: 0,
            zoom: false,
            typing: false,
            overlay: None,
            said: None,
            opening: Vec::new(),
            only_panes: false,
            numbers: 0,
            effects: Vec::new(),
            wants: Wants::default(),
        }
    }

    /// Opens these boards' consoles as soon as they are known, and shows nothing else.
    pub(super) fn open_only(&mut self, boards: Vec<String>, mode: Mode) {
        (self.opening, self.mode, self.only_panes) = (boards, mode, true);
    }

    /// What is to be done now.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.place();
    }

    /// Puts the list of the boards in order before it is drawn.
    pub(super) fn arrange(&mut self) {
        if self.panes.is_empty() {
            self.boards.arrange();
            let (place, rows) = (self.boards.place(), layout::list_rows(self.size));
            self.boards.top = self.boards.top.min(place).max((place + 1).saturating_sub(rows));
        }
    }

    /// Something has happened outside. Gives whether it is to be seen soon: not only in the list.
    pub(super) fn news(&mut self, news: News) -> bool {
        match news {
            News::Boards(boards) => {
                self.boards.set(boards);
                self.open_waiting();
            }
            News::NoBoards(why) => self.boards.trouble = Some(shown(&why)),
            News::Told(daemon, told) => {
                let switched = self.boards.told(&daemon, told);
                let outlet = switched.and_then(|row| row.outlet.clone());
                self.effects.extend(outlet.map(|outlet| Effect::State { outlet }));
                return false;
            }
            News::Away(daemon, why) => self.boards.away(&daemon, &shown(&why)),
            News::State(outlet, state) => self.boards.power(&outlet, state),
            News::Leases(daemon, leases) => self.boards.leases(&daemon, &leases),
            News::Pane(number, news) => return self.pane_news(number, news),
            News::Power { id, verb, result } => self.power_done(&id, verb, result),
            News::Sent(result) => match result {
                Ok(()) => self.say("told"),
                Err(failure) => self.complain(&failure.message),
            },
            News::Found { ticket, rows } => {
                if let Some(List { rows: Rows::Found(found), .. }) = self.list(ticket) {
                    let room = MAX_FOUND.saturating_sub(found.len());
                    found.extend(rows.into_iter().take(room));
                }
            }
            News::Searched { ticket, trouble } => {
                if let Some(list) = self.list(ticket) {
                    (list.open, list.trouble) = (false, trouble.map(|why| shown(&why)));
                }
            }
            News::Events { ticket, result } => {
                let Some(list) = self.list(ticket) else { return true };
                list.open = false;
                match (result, &mut list.rows) {
                    (Ok(events), Rows::Events(_, rows)) => {
                        list.selected = events.len().saturating_sub(1);
                        *rows = events;
                    }
                    (Err(failure), _) => list.trouble = Some(shown(&failure.message)),
                    (Ok(_), Rows::Found(_)) => {}
                }
            }
        }
        true
    }

    fn pane_news(&mut self, number: u64, news: PaneNews) -> bool {
        let Some(at) = self.panes.iter().position(|pane| pane.number == number) else {
            return false;
        };
        let focused = at == self.focus;
        let pane = &mut self.panes[at];
        match news {
            PaneNews::Attached(hello) => {
                (pane.mode, pane.holder) = (hello.mode, hello.holder);
                pane.attached(&hello.port);
            }
            PaneNews::Failed { failure, over } => {
                let why = shown(&failure.message);
                pane.link = if over { Linked::Ended(why) } else { Linked::Away(why) };
            }
            PaneNews::Item(item) => {
                let ended = matches!(item, Item::Ended { .. });
                pane.item(item);
                self.typing &= !(focused && ended);
            }
            PaneNews::NotTaken => pane.tell("the board takes nothing: what is typed is dropped"),
            PaneNews::Page(result) => {
                let rows = pane.rows();
                let Some(past) = &mut pane.past else { return false };
                match result {
                    Ok(page) => {
                        let more = past.read(page, rows);
                        self.read_on(at, more);
                    }
                    Err(failure) => past.failed(shown(&failure.message)),
                }
            }
            PaneNews::Found { pattern, offsets } => {
                let places = pane.past.as_mut().and_then(|past| past.places.as_mut());
                if let Some(places) = places.filter(|places| places.pattern == pattern) {
                    places.offsets.extend(offsets);
                }
            }
            PaneNews::Searched { pattern, more, trouble } => {
                let places = pane.past.as_mut().and_then(|past| past.places.as_mut());
                if let Some(places) = places.filter(|places| places.pattern == pattern) {
                    (places.done, places.more) = (true, more);
                    self.searched(at, trouble);
                }
            }
        }
        true
    }

    /// Consoles that were asked for, and are known now.
    fn open_waiting(&mut self) {
        let opening = std::mem::take(&mut self.opening);
        if opening.is_empty() {
            return;
        }
        for name in opening {
            let id = self.boards.rows().iter().find(|row| row.name.as_str() == name);
            match id.filter(|row| row.console.is_some()).map(|row| row.id.clone()) {
                Some(id) => self.open(&id),
                None => self.complain(&format!("board {name:?} has no console here")),
            }
        }
        self.focus = 0;
        self.typing = self.mode != Mode::Spy && !self.panes.is_empty();
    }

    /// Opens a board's console, or goes to it.
    fn open(&mut self, id: &str) {
        if let Some(at) = self.panes.iter().position(|pane| pane.id == id) {
            self.focus = at;
            return;
        }
        let Some(row) = self.boards.get(id) else { return };
        let Some(console) = row.console.clone() else {
            let what = format!("board {} has no console", row.name);
            return self.complain(&what);
        };
        if self.panes.len() == MAX_PANES {
            return self.complain(&format!("{MAX_PANES} consoles are open already"));
        }
        let (id, name) = (row.id.clone(), row.name.clone());
        let number = self.number();
        self.panes.push(Pane::new(number, id, name, console.clone(), (24, 80)));
        self.focus = self.panes.len() - 1;
        self.place();
        let room = self.panes[self.focus].room;
        // Who only looks does not hold up those who want it for themselves.
        let mode = if self.only_panes { self.mode } else { Mode::Spy };
        self.effects.push(Effect::Attach { pane: number, console, room, mode });
    }

    fn close(&mut self, at: usize) {
        if at < self.panes.len() {
            let pane = self.panes.remove(at);
            self.effects.push(Effect::Detach { pane: pane.number });
        }
        self.focus = self.focus.min(self.panes.len().saturating_sub(1));
        self.typing = false;
        self.zoom &= self.panes.len() > 1;
        self.wants.quit |= self.only_panes && self.panes.is_empty();
        self.place();
    }

    /// Tells each pane how much room it has.
    fn place(&mut self) {
        let areas = layout::panes(self.size, self.panes.len(), self.focus, self.zoom);
        for (pane, area) in self.panes.iter_mut().zip(areas) {
            if let Some(area) = area {
                pane.set_room((area.height.saturating_sub(1).max(1), area.width.max(1)));
            }
        }
    }

    fn list(&mut self, ticket: u64) -> Option<&mut List> {
        match &mut self.overlay {
            Some(Overlay::List(list)) if list.ticket == ticket => Some(list),
            _ => None,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn read_on(&mut self, at: usize, want: Option<Want>) {
        let pane = &self.panes[at];
        if let Some(want) = want {
            let (pane, console) = (pane.number, pane.console.clone());
            self.effects.push(Effect::Page { pane, console, want });
        }
    }

    /// A search in a pane's record has ended: goes to the last place before what is on the screen.
    fn searched(&mut self, at: usize, trouble: Option<String>) {
        let pane = &mut self.panes[at];
        let rows = pane.rows();
        let Some(past) = &mut pane.past else { return };
        if let Some(why) = trouble {
            past.places = None;
            return self.complain(&why);
        }
        let found = past.places.as_ref().map_or(0, |places: &Places| places.offsets.len());
        if found == 0 {
            let what = past.places.take().map(|places| places.pattern).unwrap_or_default();
            return self.complain(&format!("nothing matches {what}"));
        }
        let near = past.neighbour(false, rows).or_else(|| past.neighbour(true, rows));
        let want = near.and_then(|offset| past.go(offset, rows));
        self.read_on(at, want);
    }

    fn say(&mut self, text: &str) {
        self.said = Some((false, shown(text)));
    }

    pub(super) fn complain(&mut self, text: &str) {
        self.said = Some((true, shown(text)));
    }
}
