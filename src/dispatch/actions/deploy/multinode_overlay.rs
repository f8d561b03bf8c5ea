//! `lava-multinode-overlay`: what a board of a group needs to ask the others.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;

/// In a job for one board there is nothing to do.
#[derive(Debug)]
pub(super) struct MultinodeOverlay;

impl Action for MultinodeOverlay {
    fn name(&self) -> &'static str {
        "lava-multinode-overlay"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Some(member) = context.member.clone() else { return Ok(()) };
            let lava_dir = context.lava_dir();
            let added = context.shared().overlay.add_group(&lava_dir, &member);
            added.map_err(|error| Error::Infrastructure(error.to_string()))
        })
    }
}
