//! `export-device-env`: gives the test shell its environment.

use std::time::Duration;

use super::overlay_drive;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Kind;

/// What shells say when a file is not there.
const MISSING: [&str; 3] = ["can't open", "No such file or directory", ": not found"];

#[derive(Debug)]
pub(super) struct ExportEnv;

impl Action for ExportEnv {
    fn name(&self) -> &'static str {
        "export-device-env"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if all_are_elsewhere(context) {
                context.log.info("all tests run in containers: the board needs nothing for them");
                return Ok(());
            }
            overlay_drive::mount(context).await?;
            let prompts = context.shared().prompts.clone();
            let all = MISSING.into_iter().chain(prompts.iter().map(String::as_str));
            let patterns = Patterns::new(all).map_err(Error::Configuration)?;
            let (wait, lava_dir) = (context.wait(), context.lava_dir());
            let delay = Duration::from_millis(context.device.test_character_delay);
            let session = context.session()?;
            for line in ["export SHELL=/bin/sh", &format!(". {lava_dir}/environment")] {
                session.send_line(line, delay).await?;
                let found = session.expect(&patterns, &wait).await?;
                if found.index < MISSING.len() {
                    let seen = session.last_line();
                    return Err(Error::Job(format!(
                        "the overlay {lava_dir} is not in the running system: \
                         the shell answered {line:?} with {:?} {seen:?}",
                        found.groups.first().map_or("", String::as_str)
                    )));
                }
            }
            Ok(())
        })
    }
}

/// Whether there are tests, and none of them runs on the board.
fn all_are_elsewhere(context: &Context) -> bool {
    let here = |namespace: &str| namespace == context.now.namespace;
    let blocks = || context.job.blocks.iter().filter(|block| here(block.namespace()));
    blocks().any(|block| matches!(block.kind, Kind::DockerTest { .. }))
        && !blocks().any(|block| matches!(block.kind, Kind::Test(_)))
}
