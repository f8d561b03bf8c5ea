//! `expect-shell-connection`: makes sure that there is a shell that answers.

use std::time::Duration;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;

#[derive(Debug)]
pub(super) struct ExpectShell;

impl Action for ExpectShell {
    fn name(&self) -> &'static str {
        "expect-shell-connection"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let prompts = context.shared().prompts.clone();
            let prompts = Patterns::new(&prompts).map_err(Error::Configuration)?;
            let wait = context.wait();
            let session = context.session()?;
            session.send_line("", Duration::ZERO).await?;
            session.expect(&prompts, &wait).await.map(drop)
        })
    }
}
