//! `finalize`: the end of every job, however it went.

use std::time::Duration;

use tokio::time::timeout;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::{PowerOff, ReadFeedback};
use crate::dispatch::context::Context;
use crate::dispatch::host;

/// How long the removal of a container may take.
const REMOVAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Finalize;

impl Action for Finalize {
    fn name(&self) -> &'static str {
        "finalize"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(PowerOff), Box::new(ReadFeedback)]
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            // A client that was hung up on leaves its container behind.
            for name in std::mem::take(&mut context.containers) {
                let words = ["docker", "rm", "--force", &name].map(ToOwned::to_owned);
                // The board is switched off after this, whatever docker does.
                match timeout(REMOVAL, host::run(&words, context)).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => context.log.warning(error.to_string()),
                    Err(_) => context.log.warning(format!("the container {name} is still there")),
                }
            }
            let folders = [context.scratch(), context.tftp_folder()].into_iter();
            for folder in folders.chain(context.nfs_folder()) {
                // Not there when the job ended before it was made.
                if let Err(error) = std::fs::remove_dir_all(&folder)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    let what = format!("{} cannot be removed: {error}", folder.display());
                    context.log.warning(what);
                }
            }
            Ok(())
        })
    }
}
