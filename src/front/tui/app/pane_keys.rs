//! Keys in the consoles.

use super::overlay::Asked;
use super::pane::Linked;
use super::{App, Effect};
use crate::config::top::Action;
use crate::model::event::Mode;
use crate::wire::attach::Verb;

impl App {
    pub(super) fn act_in_panes(&mut self, action: Action) {
        let (at, count) = (self.focus, self.panes.len());
        let Some(pane) = self.panes.get_mut(at) else { return };
        let (id, page) = (pane.id.clone(), pane.rows().saturating_sub(1).max(1) as isize);
        match action {
            Action::NextPane => self.focus_on((at + 1) % count),
            Action::PreviousPane => self.focus_on((at + count - 1) % count),
            Action::Zoom => {
                self.zoom = !self.zoom;
                self.place();
            }
            Action::Type | Action::Open => self.begin_typing(),
            Action::Find => self.prompt(Asked::Search),
            Action::Past => {
                let want = pane.look_back(None);
                self.read_on(at, want);
            }
            Action::Up => self.scroll(at, -1),
            Action::Down => self.scroll(at, 1),
            Action::PageUp => self.scroll(at, -page),
            Action::PageDown => self.scroll(at, page),
            Action::Top => {
                let begun = pane.look_back(None);
                let want = pane.past.as_mut().and_then(|past| past.edge(true)).or(begun);
                self.read_on(at, want);
            }
            Action::Bottom => self.show_now(at),
            Action::Next | Action::Previous => self.neighbour(action == Action::Next),
            Action::Back if pane.past.is_some() => self.show_now(at),
            Action::Back => self.close(at),
            Action::Timeline => self.timeline(&id),
            Action::Power => self.ask_power(&id),
            Action::Message => self.ask_message(&id),
            Action::Break => self.ask(at, Verb::Break(Default::default())),
            Action::Force => self.ask(at, Verb::Force(Default::default())),
            Action::Release => self.ask(at, Verb::Release(Default::default())),
            _ => {}
        }
    }

    fn focus_on(&mut self, at: usize) {
        self.focus = at;
        if self.zoom {
            self.place();
        }
    }

    /// Moves in what the console printed before; upwards from now begins to look back.
    pub(super) fn scroll(&mut self, at: usize, by: isize) {
        let pane = &mut self.panes[at];
        let rows = pane.rows();
        match &mut pane.past {
            Some(past) if by > 0 && past.is_at_end(rows) => self.show_now(at),
            Some(past) => {
                let want = past.scroll(by, rows);
                self.read_on(at, want);
            }
            None if by < 0 => {
                let want = pane.look_back(None);
                self.read_on(at, want);
            }
            None => {}
        }
    }

    fn neighbour(&mut self, next: bool) {
        let at = self.focus;
        let pane = &mut self.panes[at];
        let rows = pane.rows();
        let Some(past) = &mut pane.past else { return };
        if past.places.is_none() {
            return self.complain("nothing is searched for yet");
        }
        match past.neighbour(next, rows) {
            Some(offset) => {
                let want = past.go(offset, rows);
                self.read_on(at, want);
            }
            None if next => self.complain("there is none behind it"),
            None => self.complain("there is none before it"),
        }
    }

    /// From now on what is typed goes to the board, if its holder and the rights let it.
    fn begin_typing(&mut self) {
        let at = self.focus;
        let Some(pane) = self.panes.get_mut(at) else { return };
        let what = match &pane.link {
            Linked::Ended(why) => format!("the session is over: {why}"),
            Linked::Away(why) => format!("not attached: {why}"),
            Linked::Opening | Linked::Attached => {
                let asks = pane.mode == Mode::Spy;
                self.typing = true;
                self.show_now(at);
                if asks {
                    self.ask(at, Verb::Mode { mode: Mode::Rw });
                }
                return;
            }
        };
        self.complain(&what);
    }

    /// Nothing is typed at the board any more.
    pub(super) fn stops_typing(&mut self, at: usize) {
        if at == self.focus {
            self.typing = false;
        }
    }

    pub(super) fn ask(&mut self, at: usize, verb: Verb) {
        let pane = &mut self.panes[at];
        pane.asked |= match verb {
            Verb::Mode { mode } => mode != Mode::Spy,
            Verb::Force(_) => true,
            _ => false,
        };
        self.effects.push(Effect::Ask { pane: pane.number, verb });
    }
}
