//! Tests that are no definitions for a shell.

use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;
use crate::dispatch::job::Kind;

/// The retry action of a kind of test, and what is in it.
#[derive(Debug)]
pub struct OtherRetry {
    names: [&'static str; 2],
}

impl OtherRetry {
    /// `monitors` or `interactive`; other kinds we have not.
    pub fn new(what: &str) -> Option<Self> {
        let names = match what {
            "monitors" => ["lava-test-monitor-retry", "lava-test-monitor"],
            "interactive" => ["lava-test-interactive-retry", "lava-test-interactive"],
            _ => return None,
        };
        Some(Self { names })
    }
}

impl Action for OtherRetry {
    fn name(&self) -> &'static str {
        self.names[0]
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let monitors = matches!(scene.block.map(|block| &block.kind),
            Some(Kind::OtherTest { what }) if what == "monitors");
        let because =
            if monitors { "the block has \"monitors\"" } else { "the block is interactive" };
        vec![Box::new(NotYet { name: self.names[1], because })]
    }
}
