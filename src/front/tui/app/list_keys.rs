//! Keys and clicks in the list of the boards.

use super::App;
use super::overlay::Asked;
use crate::config::top::{Action, Sort};
use crate::front::tui::layout;
use crate::wire::keyboard::Mouse;

impl App {
    pub(super) fn act_in_list(&mut self, action: Action) {
        let (place, page) = (self.boards.place(), layout::list_rows(self.size));
        let selected = self.boards.selected().map(|row| row.id.clone());
        match (action, selected) {
            (Action::Up, _) => self.boards.select(place.saturating_sub(1)),
            (Action::Down, _) => self.boards.select(place + 1),
            (Action::PageUp, _) => self.boards.select(place.saturating_sub(page)),
            (Action::PageDown, _) => self.boards.select(place + page),
            (Action::Top, _) => self.boards.select(0),
            (Action::Bottom, _) => self.boards.select(usize::MAX),
            (Action::Find, _) => self.prompt(Asked::Filter),
            (Action::Sort, _) => {
                let at = Sort::ALL.iter().position(|sort| *sort == self.boards.sort).unwrap_or(0);
                self.boards.sort = Sort::ALL[(at + 1) % Sort::ALL.len()];
                self.boards.arrange();
            }
            (Action::Reverse, _) => {
                self.boards.reverse = !self.boards.reverse;
                self.boards.arrange();
            }
            (Action::Back, _) if !self.boards.marked.is_empty() => self.boards.marked.clear(),
            (Action::Back, _) => {
                self.boards.filter.clear();
                self.boards.arrange();
            }
            (_, None) => {}
            (Action::Mark, Some(id)) => {
                if !self.boards.marked.remove(&id) {
                    self.boards.marked.insert(id);
                }
                self.boards.select(place + 1);
            }
            (Action::Open | Action::Type, Some(id)) => {
                let marked = std::mem::take(&mut self.boards.marked);
                let ids = if marked.is_empty() { vec![id] } else { marked.into_iter().collect() };
                ids.iter().for_each(|id| self.open(id));
                self.focus = 0;
            }
            (Action::Past, Some(id)) => {
                self.open(&id);
                self.act_in_panes(Action::Past);
            }
            (Action::Timeline, Some(id)) => self.timeline(&id),
            (Action::Power, Some(id)) => self.ask_power(&id),
            (Action::Message, Some(id)) => self.ask_message(&id),
            (_, Some(_)) => {}
        }
    }

    /// A click selects, and on what is selected opens; the wheel moves.
    pub(super) fn click_in_list(&mut self, mouse: Mouse, by: isize) {
        let place = self.boards.place();
        if by != 0 {
            return self.boards.select(place.saturating_add_signed(by));
        }
        let Some(row) = mouse.row.checked_sub(layout::LIST_TOP) else { return };
        let clicked = self.boards.top + usize::from(row);
        if usize::from(row) >= layout::list_rows(self.size) || clicked >= self.boards.shown().len()
        {
            return;
        }
        if clicked == place {
            self.act_in_list(Action::Open);
        } else {
            self.boards.select(clicked);
        }
    }
}
