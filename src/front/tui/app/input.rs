//! Keys and clicks: who gets them.

use super::overlay::{Asked, Edited, Lines, List, Overlay, Prompt, Rows, edit};
use super::past::Places;
use super::{App, Effect};
use crate::config::top::{ACTIONS, Action};
use crate::front::tui::layout;
use crate::wire::keyboard::{Input, Key, Mouse, MouseWhat, Typed};

/// The lines that a turn of the wheel moves.
pub(super) const WHEEL: isize = 3;

impl App {
    /// Somebody typed, clicked or pasted.
    pub(in super::super) fn typed(&mut self, typed: Typed) {
        let Typed { input, bytes } = typed;
        if let Input::Mouse(mouse) = input {
            return self.mouse(mouse);
        }
        let action = match input {
            Input::Key(key) => self.config.action(key),
            _ => None,
        };
        if self.typing && self.overlay.is_none() {
            self.said = None;
            return self.type_at_board(&input, action, bytes);
        }
        self.said = None;
        match self.overlay.take() {
            Some(Overlay::Prompt(prompt)) => self.prompt_key(prompt, &input),
            Some(Overlay::Power(dialog)) => self.power_key(dialog, &input),
            Some(Overlay::List(list)) => self.list_key(list, action),
            Some(Overlay::Lines(lines)) => self.lines_key(lines, action),
            Some(Overlay::Help(top)) => self.help_key(top, action),
            None => match action {
                Some(action) => self.act(action),
                None if matches!(input, Input::Key(_)) => {
                    let help = self.config.keys(Action::Help).first().map(Key::to_string);
                    let help = help.unwrap_or_else(|| "lava top --help".into());
                    self.complain(&format!(
                        "that key does nothing here; {help} lists those that do"
                    ));
                }
                None => {}
            },
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.wants.quit = true,
            Action::Redraw => self.wants.redraw = true,
            Action::Suspend => self.wants.suspend = true,
            Action::Help => self.overlay = Some(Overlay::Help(0)),
            Action::Refresh => {
                self.effects.push(Effect::Look);
                self.say("looking for boards, and asking the outlets");
            }
            Action::SearchAll => self.prompt(Asked::SearchAll),
            // Nothing else is to be seen until there is a console.
            action if self.panes.is_empty() && self.only_panes => {
                self.wants.quit |= action == Action::Back;
            }
            action if self.panes.is_empty() => self.act_in_list(action),
            action => self.act_in_panes(action),
        }
    }

    pub(super) fn prompt(&mut self, what: Asked) {
        let text = match what {
            Asked::Filter => self.boards.filter.clone(),
            _ => String::new(),
        };
        self.overlay = Some(Overlay::Prompt(Prompt { what, text }));
    }

    fn prompt_key(&mut self, mut prompt: Prompt, input: &Input) {
        match edit(&mut prompt.text, input) {
            Edited::Cancelled => {
                if prompt.what == Asked::Filter {
                    self.filter(String::new());
                }
            }
            Edited::Entered => self.entered(prompt),
            edited => {
                // The list follows what is typed.
                if edited == Edited::Changed && prompt.what == Asked::Filter {
                    self.filter(prompt.text.clone());
                }
                self.overlay = Some(Overlay::Prompt(prompt));
            }
        }
    }

    fn filter(&mut self, text: String) {
        self.boards.filter = text;
        self.boards.arrange();
    }

    fn entered(&mut self, Prompt { what, text }: Prompt) {
        if what == Asked::Filter {
            return self.filter(text);
        }
        if text.trim().is_empty() {
            return;
        }
        match what {
            Asked::Filter => {}
            Asked::Search => self.search(text),
            Asked::SearchAll => self.search_all(text),
            Asked::Message(_, console) => self.effects.push(Effect::Message { console, text }),
        }
    }

    /// Searches the record of the console in focus.
    fn search(&mut self, pattern: String) {
        let (at, ticket) = (self.focus, self.number());
        let Some(pane) = self.panes.get_mut(at) else { return };
        let want = pane.look_back(None);
        if let Some(past) = &mut pane.past {
            past.places = Some(Places { ticket, pattern: pattern.clone(), ..Places::default() });
            let (pane, console) = (pane.number, pane.console.clone());
            self.effects.push(Effect::Search { pane, ticket, console, pattern });
        }
        self.read_on(at, want);
    }

    fn search_all(&mut self, pattern: String) {
        let ticket = self.number();
        let consoles = self.boards.rows().iter();
        let consoles = consoles.filter_map(|row| Some((row.id.clone(), row.console.clone()?)));
        let consoles: Vec<_> = consoles.collect();
        self.overlay = Some(Overlay::List(List {
            title: format!("{pattern} in the records of {} boards", consoles.len()),
            rows: Rows::Found(Vec::new()),
            selected: 0,
            open: true,
            ticket,
            trouble: None,
        }));
        self.effects.push(Effect::SearchAll { ticket, consoles, pattern });
    }

    /// Asks what everyone at a board's console is to be told.
    pub(super) fn ask_message(&mut self, id: &str) {
        let Some(row) = self.boards.get(id) else { return };
        match row.console.clone() {
            Some(console) => self.prompt(Asked::Message(id.to_owned(), console)),
            None => {
                let what = format!("board {} has no console", row.name);
                self.complain(&what);
            }
        }
    }

    /// What happened to a board.
    pub(super) fn timeline(&mut self, id: &str) {
        let ticket = self.number();
        let Some(row) = self.boards.get(id) else { return };
        let Some(console) = row.console.clone() else {
            let what = format!("board {} has no console", row.name);
            return self.complain(&what);
        };
        self.overlay = Some(Overlay::List(List {
            title: format!("what happened to {}", row.name),
            rows: Rows::Events(row.id.clone(), Vec::new()),
            selected: 0,
            open: true,
            ticket,
            trouble: None,
        }));
        self.effects.push(Effect::Events { ticket, console });
    }

    fn list_key(&mut self, mut list: List, action: Option<Action>) {
        let page = usize::from(self.size.1).saturating_sub(4).max(1);
        let last = list.rows.len().saturating_sub(1);
        list.selected = match action {
            Some(Action::Up) => list.selected.saturating_sub(1),
            Some(Action::Down) => list.selected + 1,
            Some(Action::PageUp) => list.selected.saturating_sub(page),
            Some(Action::PageDown) => list.selected + page,
            Some(Action::Top) => 0,
            Some(Action::Bottom) => last,
            Some(Action::Back | Action::Quit) => return self.effects.push(Effect::LeaveList),
            Some(Action::Open) => return self.go_to(&list),
            _ => list.selected,
        }
        .min(last);
        self.overlay = Some(Overlay::List(list));
    }

    /// Opens the console of the selected line, where that line is.
    fn go_to(&mut self, list: &List) {
        let place = match &list.rows {
            Rows::Found(rows) => rows.get(list.selected).map(|(id, at)| (id.clone(), at.offset)),
            Rows::Events(id, rows) => rows.get(list.selected).map(|at| (id.clone(), at.offset)),
        };
        self.effects.push(Effect::LeaveList);
        let Some((id, offset)) = place else { return };
        self.open(&id);
        let at = self.focus;
        if let Some(pane) = self.panes.get_mut(at).filter(|pane| pane.id == id) {
            self.typing = false;
            let want = pane.look_back(Some(offset));
            self.read_on(at, want);
        }
    }

    fn help_key(&mut self, top: usize, action: Option<Action>) {
        let page = usize::from(self.size.1).saturating_sub(4).max(1);
        let last = ACTIONS.len().saturating_sub(page);
        let top = match action {
            Some(Action::Up) => top.saturating_sub(1),
            Some(Action::Down) => top + 1,
            Some(Action::PageUp) => top.saturating_sub(page),
            Some(Action::PageDown) => top + page,
            _ => return,
        };
        self.overlay = Some(Overlay::Help(top.min(last)));
    }

    fn lines_key(&mut self, mut lines: Lines, action: Option<Action>) {
        let page = usize::from(self.size.1).saturating_sub(4).max(1);
        let last = lines.lines.len().saturating_sub(page);
        lines.top = match action {
            Some(Action::Up) => lines.top.saturating_sub(1),
            Some(Action::Down) => lines.top + 1,
            Some(Action::PageUp) => lines.top.saturating_sub(page),
            Some(Action::PageDown) => lines.top + page,
            _ => return,
        }
        .min(last);
        self.overlay = Some(Overlay::Lines(lines));
    }

    fn mouse(&mut self, mouse: Mouse) {
        let by = match mouse.what {
            MouseWhat::WheelUp => -WHEEL,
            MouseWhat::WheelDown => WHEEL,
            MouseWhat::Press => 0,
            MouseWhat::Release | MouseWhat::Other => return,
        };
        match &mut self.overlay {
            Some(Overlay::List(list)) => {
                let last = list.rows.len().saturating_sub(1);
                list.selected = list.selected.saturating_add_signed(by).min(last);
            }
            Some(Overlay::Help(top)) => *top = top.saturating_add_signed(by).min(ACTIONS.len()),
            Some(Overlay::Lines(lines)) => {
                let last = lines.lines.len().saturating_sub(1);
                lines.top = lines.top.saturating_add_signed(by).min(last);
            }
            Some(_) => {}
            None if self.panes.is_empty() && self.only_panes => {}
            None if self.panes.is_empty() => self.click_in_list(mouse, by),
            None => {
                let areas = layout::panes(self.size, self.panes.len(), self.focus, self.zoom);
                let inside = |area: &Option<ratatui::layout::Rect>| {
                    area.is_some_and(|area| area.contains((mouse.column, mouse.row).into()))
                };
                let Some(at) = areas.iter().position(inside) else { return };
                if by == 0 {
                    if at != self.focus {
                        self.leave_typing();
                    }
                    self.focus = at;
                } else {
                    self.scroll(at, by);
                }
            }
        }
    }
}
