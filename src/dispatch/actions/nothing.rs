//! Actions that LAVA has in its pipelines and that have nothing to do in a job of ours.

use crate::dispatch::action::Action;

/// An action without any work; its name and level stay, since job files may address it.
#[derive(Debug)]
pub struct Nothing(pub &'static str);

impl Action for Nothing {
    fn name(&self) -> &'static str {
        self.0
    }
}
