//! An action whose only work is its inner steps.

use crate::dispatch::action::{Action, Scene};

/// What a group's steps are made by, from the block that the scene is of.
type Steps = fn(&Scene<'_>) -> Vec<Box<dyn Action>>;

/// A named step that is done when its inner steps are.
#[derive(Clone, Copy)]
pub struct Group {
    name: &'static str,
    retries: bool,
    steps: Steps,
}

impl Group {
    /// A group that is tried once.
    pub fn once(name: &'static str, steps: Steps) -> Box<dyn Action> {
        Box::new(Self { name, retries: false, steps })
    }

    /// A group that is tried as often as the job says.
    pub fn retry(name: &'static str, steps: Steps) -> Box<dyn Action> {
        Box::new(Self { name, retries: true, steps })
    }
}

impl Action for Group {
    fn name(&self) -> &'static str {
        self.name
    }

    fn retries(&self) -> bool {
        self.retries
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        (self.steps)(scene)
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group {}", self.name)
    }
}
