//! Actions that LAVA has in its pipelines and that have nothing to do in a job of ours.

use futures_util::future::BoxFuture;

use crate::dispatch::action::Action;
use crate::dispatch::validate::Checks;

/// An action without any work; its name and level stay, since job files may address it.
#[derive(Debug)]
pub struct Nothing(pub &'static str);

impl Action for Nothing {
    fn name(&self) -> &'static str {
        self.0
    }
}

/// An action that is in the job's pipeline and that we cannot do yet.
#[derive(Debug)]
pub struct NotYet {
    pub name: &'static str,
    /// What in the job asks for it.
    pub because: &'static str,
}

impl Action for NotYet {
    fn name(&self) -> &'static str {
        self.name
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move { checks.fault(format!("cannot be run yet: {}", self.because)) })
    }
}
