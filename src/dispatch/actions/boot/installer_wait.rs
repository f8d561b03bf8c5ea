//! `installer-wait`: an installer that the boot loader has started, to its end. Nobody logs in to it.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;

#[derive(Debug)]
pub(super) struct InstallerWait {
    /// What it says at its end; regular expressions.
    pub finished: Vec<String>,
}

impl Action for InstallerWait {
    fn name(&self) -> &'static str {
        "installer-wait"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.finished.iter().for_each(|text| checks.pattern("boot_finished", text));
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let finished = Patterns::new(&self.finished).map_err(Error::Configuration)?;
            let wait = context.wait();
            let session = context.session()?;
            // It may begin as often as it likes, and end with a reboot.
            session.watch().enter(Stage::Tested);
            session.expect(&finished, &wait).await.map(drop)
        })
    }
}
