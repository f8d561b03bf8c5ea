//! What is on the screen, and what is done about it. No input or output of its own: keys and news go in,
//! [`Effect`]s and cells come out.

pub(super) mod boards;
pub(super) mod emulator;
mod escapes;
mod input;
mod list_keys;
mod news;
pub(super) mod overlay;
pub(super) mod pane;
mod pane_keys;
pub(super) mod past;
mod power;
#[cfg(test)]
pub(super) mod tests;

use ratatui::layout::Rect;

use self::boards::{Boards, Id};
use self::overlay::Overlay;
use self::pane::{Pane, shown};
use self::past::Want;
use super::work::Matter;
use super::{EscapeKeys, Open, layout};
use crate::client::{ConsoleRef, OutletRef};
use crate::config::top::TopConfig;
use crate::model::event::Mode;
use crate::model::{Failure, Name, PowerRequest, Verb};
use crate::wire::attach;

/// The most consoles that are shown beside each other.
pub(super) const MAX_PANES: usize = 16;
/// The most cells of all consoles that are open, when all but one are hidden.
const MAX_CELLS: usize = 250_000;
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
        bytes: Vec<u8>,
    },
    Ask {
        pane: u64,
        verb: attach::Verb,
    },
    /// Something beside the session of a pane.
    Matter {
        pane: u64,
        console: ConsoleRef,
        matter: Matter,
    },
    Page {
        pane: u64,
        console: ConsoleRef,
        want: Want,
    },
    /// Search the record of a pane's console.
    Search {
        pane: u64,
        ticket: u64,
        console: ConsoleRef,
        pattern: String,
    },
    /// Nobody looks at what a pane's console printed before any more.
    LeavePast {
        pane: u64,
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
    /// Nobody looks at the list over the rest any more.
    LeaveList,
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
    escape: EscapeKeys,
    /// How consoles are attached to.
    mode: Mode,
    /// They are taken from whoever has them.
    force: bool,
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
    pub(super) opening: Vec<String>,
    /// Without the list of the boards behind them: closing the last console leaves.
    pub(super) only_panes: bool,
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
    pub(super) fn new(
        config: TopConfig,
        escape: EscapeKeys,
        user: String,
        size: (u16, u16),
    ) -> Self {
        let boards = Boards::new(config.sort);
        Self {
            config,
            user,
            escape,
            mode: Mode::Rw,
            force: false,
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
    pub(super) fn open_only(&mut self, Open { boards, mode, force }: Open) {
        (self.opening, self.mode, self.force, self.only_panes) = (boards, mode, force, true);
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

    /// Consoles that were asked for, and are known now. The others may be known later: their daemon is being
    /// started again, for example.
    fn open_waiting(&mut self) {
        let opening = std::mem::take(&mut self.opening);
        if opening.is_empty() {
            return;
        }
        let (focus, first) = (self.focus, self.panes.is_empty());
        for name in opening {
            let id = self.boards.rows().iter().find(|row| row.name.as_str() == name);
            match id.filter(|row| row.console.is_some()).map(|row| row.id.clone()) {
                Some(id) => self.open(&id),
                None => self.opening.push(name),
            }
        }
        self.focus = focus;
        if first {
            self.typing = self.mode != Mode::Spy && !self.panes.is_empty();
        }
        if !self.panes.is_empty() && !self.opening.is_empty() {
            let what = format!("no console yet of {}", self.opening.join(", "));
            self.complain(&what);
        }
    }

    /// The consoles of open panes may be somewhere else by now. Who is attached finds a daemon of this host
    /// by itself where it is after a restart.
    fn moved(&mut self) {
        for at in 0..self.panes.len() {
            let console = self.boards.get(&self.panes[at].id).and_then(|row| row.console.clone());
            let Some(console) = console.filter(|console| *console != self.panes[at].console) else {
                continue;
            };
            let number = self.number();
            let pane = &mut self.panes[at];
            let finds = pane.finds_it_at(&console);
            pane.console = console.clone();
            if !finds {
                self.effects.push(Effect::Detach { pane: pane.number });
                let (room, mode) = (pane.room, pane.mode);
                pane.again(number);
                self.effects.push(Effect::Attach { pane: number, console, room, mode });
            }
        }
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
        let escapes = self.escape.recognised(&id);
        self.panes.push(Pane::new(number, id, name, console.clone(), escapes));
        self.focus = self.panes.len() - 1;
        self.place();
        let room = self.panes[self.focus].room;
        // Who only looks does not hold up those who want it for themselves.
        let mode = if self.only_panes { self.mode } else { Mode::Spy };
        self.effects.push(Effect::Attach { pane: number, console, room, mode });
        if self.only_panes && self.force {
            self.ask(self.focus, attach::Verb::Force(Default::default()));
        }
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
        let room = |area: Rect| (area.height.saturating_sub(1).max(1), area.width.max(1));
        for (pane, area) in self.panes.iter_mut().zip(&areas) {
            if let Some(area) = area {
                pane.set_room(room(*area));
            }
        }
        // Those behind the one that is zoomed are as large as they were, as long as that is not too much.
        let cells: usize = self.panes.iter().map(|pane| pane.emulator.cells()).sum();
        if cells > MAX_CELLS {
            let tiles = layout::panes(self.size, self.panes.len(), self.focus, false);
            let hidden = self.panes.iter_mut().zip(areas).zip(tiles);
            for ((pane, _), tile) in hidden.filter(|((_, area), _)| area.is_none()) {
                pane.set_room(tile.map_or(pane.room, room));
            }
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

    /// Shows what a pane's console prints now, not what it printed before.
    fn show_now(&mut self, at: usize) {
        if let Some(pane) = self.panes.get_mut(at)
            && pane.past.take().is_some()
        {
            self.effects.push(Effect::LeavePast { pane: pane.number });
        }
    }

    fn say(&mut self, text: &str) {
        self.said = Some((false, shown(text)));
    }

    pub(super) fn complain(&mut self, text: &str) {
        self.said = Some((true, shown(text)));
    }

    /// Tells what went wrong, and what to do about it.
    fn failed(&mut self, failure: &Failure) {
        self.complain(&told(failure));
    }
}

/// A failure in a line.
pub(super) fn told(failure: &Failure) -> String {
    let hint = failure.hint.as_ref().map(|hint| format!(" ({hint})"));
    shown(&format!("{}{}", failure.message, hint.unwrap_or_default()))
}
