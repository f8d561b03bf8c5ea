//! Switching a board: asked twice, and by force only with a reason.

use super::overlay::{Edited, Overlay, PowerDialog, Stage, edit};
use super::{App, Effect};
use crate::client::OutletRef;
use crate::front::cli::report;
use crate::model::{Failure, PowerRequest, Refusal, Report, Verb};
use crate::wire::keyboard::{Code, Input, Key};

impl App {
    /// Asks what is to be done with a board's power.
    pub(super) fn ask_power(&mut self, id: &str) {
        let Some(row) = self.boards.get(id) else { return };
        let Some(outlet) = row.outlet.clone() else {
            let what = format!("board {} has no outlet", row.name);
            return self.complain(&what);
        };
        let dialog = PowerDialog { id: id.to_owned(), outlet, stage: Stage::Choose };
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
        let PowerDialog { id, outlet, stage } = &dialog;
        let next = match (stage.clone(), character) {
            _ if left => return,
            (Stage::Choose, Some('o')) => Some(Stage::Confirm(Verb::On)),
            (Stage::Choose, Some('f')) => Some(Stage::Confirm(Verb::Off)),
            (Stage::Choose, Some('c')) => Some(Stage::Confirm(Verb::Cycle)),
            (Stage::Choose, Some('s')) => self.confirmed(id, outlet, Verb::Status, None),
            (Stage::Choose, Some('q' | 'n')) => return,
            (Stage::Confirm(verb), Some('y')) => self.confirmed(id, outlet, verb, None),
            (Stage::Confirm(_), Some('n' | 'q')) => return,
            (Stage::Refused { verb, why, mut reason }, _) => match edit(&mut reason, input) {
                Edited::Entered if !reason.trim().is_empty() => {
                    self.confirmed(id, outlet, verb, Some(reason))
                }
                _ => Some(Stage::Refused { verb, why, reason }),
            },
            (stage, _) => Some(stage),
        };
        if let Some(next) = next {
            dialog.stage = next;
            self.overlay = Some(Overlay::Power(dialog));
        }
    }

    /// Has the outlet switched that was asked about, by force if there is a reason for that. When the board
    /// has another one by now, nobody has confirmed that.
    fn confirmed(
        &mut self,
        id: &str,
        outlet: &OutletRef,
        verb: Verb,
        reason: Option<String>,
    ) -> Option<Stage> {
        let (user, force) = (Some(self.user.clone()), reason.is_some());
        if self.boards.get(id).is_none_or(|row| row.outlet.as_ref() != Some(outlet)) {
            self.complain(&format!("{id} is not at this outlet any more: nothing was done"));
            return None;
        }
        self.switch(id, verb, PowerRequest { user, reason, force });
        Some(Stage::Busy(verb))
    }

    /// Has a board's outlet switched.
    pub(super) fn switch(&mut self, id: &str, verb: Verb, request: PowerRequest) {
        let Some(row) = self.boards.get(id) else {
            return self.complain(&format!("board {id} is not there any more"));
        };
        let Some(outlet) = row.outlet.clone() else {
            let what = format!("board {} has no outlet", row.name);
            return self.complain(&what);
        };
        let (id, board, console) = (row.id.clone(), row.name.clone(), row.console.clone());
        self.effects.push(Effect::Power { id, board, outlet, console, verb, request });
    }

    /// An operation has ended.
    pub(super) fn power_done(
        &mut self,
        id: &str,
        outlet: &OutletRef,
        verb: Verb,
        result: Result<Report, Failure>,
    ) {
        let waits = matches!(&self.overlay, Some(Overlay::Power(dialog))
            if dialog.outlet == *outlet && dialog.stage == Stage::Busy(verb));
        if waits {
            self.overlay = None;
        }
        match result {
            Ok(report) => {
                self.boards.power(outlet, Some(report.state));
                self.say(&report::text(&report));
            }
            // Somebody else has it: who, and since when, is in the message.
            Err(failure)
                if failure.refusal.is_some_and(Refusal::yields_to_force)
                    && waits
                    && verb != Verb::Status =>
            {
                let why = super::told(&failure);
                let stage = Stage::Refused { verb, why, reason: String::new() };
                let (id, outlet) = (id.to_owned(), outlet.clone());
                self.overlay = Some(Overlay::Power(PowerDialog { id, outlet, stage }));
            }
            Err(failure) => self.complain(&format!("{id}: {}", super::told(&failure))),
        }
    }
}
