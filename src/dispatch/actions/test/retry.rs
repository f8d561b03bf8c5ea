//! `lava-test-retry`: runs the test shell again when it could not be run to its end.

use super::shell::TestShell;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::error::Error;
use crate::dispatch::job::MULTINODE_TEST;

#[derive(Debug)]
pub struct TestRetry;

impl Action for TestRetry {
    fn name(&self) -> &'static str {
        "lava-test-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn retries_on(&self, error: &Error) -> bool {
        error.is_worth_a_retry() && !matches!(error, Error::Dead(_))
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let requests = scene.block.map(|block| block.requests.as_slice()).unwrap_or_default();
        let multinode = requests.iter().any(|request| request.action == MULTINODE_TEST);
        vec![Box::new(TestShell { stage: scene.stage(), multinode })]
    }
}
