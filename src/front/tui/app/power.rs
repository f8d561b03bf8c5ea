//! Switching a board: asked twice, and by force only with a reason.

use super::overlay::{Edited, Overlay, PowerDialog, Stage, edit};
use super::{App, Effect};
use crate::front::cli::report;
use crate::model::{Failure, Kind, PowerRequest, Report, Verb};
use crate::wire::keyboard::{Code, Input, Key};

impl App {
    /// Asks what is to be done with a board's power.
    pub(super) fn ask_power(&mut self, id: &str) {
        let Some(row) = self.boards.get(id) else { return };
        if row.outlet.is_none() {
            let what = format!("board {} has no outlet", row.name);
            return self.complain(&what);
        }
        let dialog = PowerDialog { id: id.to_owned(), stage: Stage::Choose };
        self.overlay = Some(Overlay::Power(dialog));
    }

    /// A key for the dialogue.
    pub(super) fn power_key(&mut self, mut dialog: PowerDialog, input: &Input) {
        let key = match input {
            Input::Key(key) => Some(*key),
            _ => None,
        };
        let left = matches!(key, Some(Key { code: Code::Esc, .. })) || key == Some(Key::ctrl('c'));
        let character = match key {
            Some(Key { code: Code::Char(c), ctrl: false, alt: false, .. }) => Some(c),
            _ => None,
        };
        let next = match (dialog.stage, character) {
            _ if left => return,
            (Stage::Choose, Some('o')) => Stage::Confirm(Verb::On),
            (Stage::Choose, Some('f')) => Stage::Confirm(Verb::Off),
            (Stage::Choose, Some('c')) => Stage::Confirm(Verb::Cycle),
            (Stage::Choose, Some('s')) => self.switch(&dialog.id, Verb::Status, None),
            (Stage::Choose, Some('q' | 'n')) => return,
            (Stage::Confirm(verb), Some('y')) => self.switch(&dialog.id, verb, None),
            (Stage::Confirm(_), Some('n' | 'q')) => return,
            (Stage::Refused { verb, why, mut reason }, _) => match edit(&mut reason, input) {
                Edited::Entered if !reason.trim().is_empty() => {
                    self.switch(&dialog.id, verb, Some(reason))
                }
                _ => Stage::Refused { verb, why, reason },
            },
            (stage, _) => stage,
        };
        dialog.stage = next;
        self.overlay = Some(Overlay::Power(dialog));
    }

    /// Has the outlet switched, by force if there is a reason for that.
    fn switch(&mut self, id: &str, verb: Verb, reason: Option<String>) -> Stage {
        if let Some(row) = self.boards.get(id)
            && let Some(outlet) = row.outlet.clone()
        {
            let (user, force) = (Some(self.user.clone()), reason.is_some());
            let request = PowerRequest { user, reason, force };
            let (board, console) = (row.name.clone(), row.console.clone());
            let id = id.to_owned();
            self.effects.push(Effect::Power { id, board, outlet, console, verb, request });
        }
        Stage::Busy(verb)
    }

    /// An operation has ended.
    pub(super) fn power_done(&mut self, id: &str, verb: Verb, result: Result<Report, Failure>) {
        let waits = matches!(&self.overlay, Some(Overlay::Power(dialog))
            if dialog.id == id && dialog.stage == Stage::Busy(verb));
        if waits {
            self.overlay = None;
        }
        match result {
            Ok(report) => {
                if let Some(outlet) = self.boards.get(id).and_then(|row| row.outlet.clone()) {
                    self.boards.power(&outlet, Some(report.state));
                }
                self.say(&report::text(&report));
            }
            // Somebody else has it: who, and since when, is in the message.
            Err(failure) if failure.kind == Kind::Refused && waits && verb != Verb::Status => {
                let why = super::shown(&failure.message);
                let stage = Stage::Refused { verb, why, reason: String::new() };
                self.overlay = Some(Overlay::Power(PowerDialog { id: id.to_owned(), stage }));
            }
            Err(failure) => self.complain(&format!("{id}: {}", failure.message)),
        }
    }
}
