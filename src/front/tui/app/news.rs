//! What has happened outside: to the boards, to the consoles that are open, and what came of what was asked
//! for.

use super::overlay::{Lines, List, Overlay, Rows};
use super::pane::{Linked, answer_lines, shown};
use super::{App, Effect, MAX_FOUND, told};
use crate::client::attach::Item;
use crate::front::tui::work::{News, PaneNews};
use crate::model::Failure;
use crate::model::event::Mode;
use crate::wire::attach::{Answer, Verb};

impl App {
    /// Something has happened outside. Gives whether it is to be seen soon: not only in the list.
    pub(in super::super) fn news(&mut self, news: News) -> bool {
        match news {
            News::Boards(boards) => {
                self.boards.set(boards);
                self.moved();
                self.open_waiting();
            }
            News::NoBoards(failure) => self.boards.trouble = Some(told(&failure)),
            News::Told(daemon, told) => {
                let switched = self.boards.told(&daemon, told);
                let outlet = switched.and_then(|row| row.outlet.clone());
                self.effects.extend(outlet.map(|outlet| Effect::State { outlet }));
                return false;
            }
            News::Away(daemon, why) => self.boards.away(&daemon, &shown(&why)),
            News::State(outlet, state) => self.boards.power(&outlet, state),
            News::Leases(daemon, leases) => self.boards.leases(&daemon, leases.as_ref()),
            News::Pane(number, news) => return self.pane_news(number, news),
            News::Power { id, outlet, verb, result } => {
                self.power_done(&id, &outlet, verb, result);
            }
            News::Sent(result) => match result {
                Ok(()) => self.say("told"),
                Err(failure) => self.failed(&failure),
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
                    (Err(failure), _) => list.trouble = Some(told(&failure)),
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
        let pane = &mut self.panes[at];
        match news {
            PaneNews::Attached(hello) => {
                pane.attached(&hello);
                self.may_type(at, hello.mode);
            }
            PaneNews::Failed { failure, over } => {
                let why = told(&failure);
                pane.link = if over { Linked::Ended(why) } else { Linked::Away(why) };
                self.typing &= !(over && at == self.focus);
            }
            PaneNews::Item(item) => self.item(at, item),
            PaneNews::NotTaken(why) => pane.tell(&why),
            PaneNews::MayNotType(why) => {
                pane.tell(&why);
                pane.asked = false;
                let mode = pane.mode;
                self.may_type(at, mode);
            }
            PaneNews::Said(result) => self.answered(at, result),
            PaneNews::Page(result) => {
                let rows = pane.rows();
                let Some(past) = &mut pane.past else { return false };
                match result {
                    Ok(page) => {
                        let more = past.read(page, rows);
                        self.read_on(at, more);
                    }
                    Err(failure) => past.failed(told(&failure)),
                }
            }
            PaneNews::Found { ticket, offsets } => {
                let places = pane.past.as_mut().and_then(|past| past.places.as_mut());
                if let Some(places) = places.filter(|places| places.ticket == ticket) {
                    places.offsets.extend(offsets);
                }
            }
            PaneNews::Searched { ticket, more, trouble } => {
                let places = pane.past.as_mut().and_then(|past| past.places.as_mut());
                if let Some(places) = places.filter(|places| places.ticket == ticket) {
                    (places.done, places.more) = (true, more);
                    self.searched(at, trouble);
                }
            }
        }
        true
    }

    fn item(&mut self, at: usize, item: Item) {
        let pane = &mut self.panes[at];
        match &item {
            Item::Answer { answer, .. } => {
                pane.asked &= *answer != Answer::Done;
                if let Some(lines) = answer_lines(answer) {
                    return self.answered(at, Ok(lines));
                }
            }
            Item::Resumed(hello) => {
                let mode = hello.mode;
                pane.item(item);
                // It had been asked for before, or was while nobody could be asked.
                if mode == Mode::Spy && self.typing && at == self.focus {
                    self.ask(at, Verb::Mode { mode: Mode::Rw });
                }
                return;
            }
            Item::Mode { mode, .. } => {
                let mode = *mode;
                pane.item(item);
                return self.may_type(at, mode);
            }
            Item::Ended { .. } => self.typing &= at != self.focus,
            _ => {}
        }
        self.panes[at].item(item);
    }

    /// A session's mode is this now: a spy types no more, unless they have asked to.
    fn may_type(&mut self, at: usize, mode: Mode) {
        let asked = std::mem::take(&mut self.panes[at].asked);
        if mode == Mode::Spy && !asked {
            self.stops_typing(at);
        }
    }

    /// What came of something that was asked for at a console: many lines are shown over the rest.
    fn answered(&mut self, at: usize, result: Result<Vec<String>, Failure>) {
        let pane = &mut self.panes[at];
        let lines = match result {
            Ok(lines) => lines,
            Err(failure) => return pane.tell(&told(&failure)),
        };
        match &lines[..] {
            [] => {}
            [line] => pane.tell(line),
            _ => {
                let lines = lines.iter().map(|line| shown(line)).collect();
                let lines = Lines { title: pane.id.clone(), lines, top: 0 };
                if self.overlay.is_none() {
                    self.overlay = Some(Overlay::Lines(lines));
                }
            }
        }
    }

    fn list(&mut self, ticket: u64) -> Option<&mut List> {
        match &mut self.overlay {
            Some(Overlay::List(list)) if list.ticket == ticket => Some(list),
            _ => None,
        }
    }

    /// A search in a pane's record has ended: goes to the last place before what is on the screen.
    fn searched(&mut self, at: usize, trouble: Option<Failure>) {
        let pane = &mut self.panes[at];
        let rows = pane.rows();
        let Some(past) = &mut pane.past else { return };
        if let Some(failure) = trouble {
            past.places = None;
            return self.failed(&failure);
        }
        let found = past.places.as_ref().map_or(0, |places| places.offsets.len());
        if found == 0 {
            let what = past.places.take().map(|places| places.pattern).unwrap_or_default();
            return self.complain(&format!("nothing matches {what}"));
        }
        let near = past.neighbour(false, rows).or_else(|| past.neighbour(true, rows));
        let want = near.and_then(|offset| past.go(offset, rows));
        self.read_on(at, want);
    }
}
