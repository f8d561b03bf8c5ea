//! `read-feedback`: takes in what the board said last, so that it is in the log.

use std::time::Duration;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;

/// A board that is off says nothing more after this long.
const QUIET: Duration = Duration::from_millis(30);
/// A board that cannot be switched off may go on talking; the job does not wait for it.
const LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct ReadFeedback;

impl Action for ReadFeedback {
    fn name(&self) -> &'static str {
        "read-feedback"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let log = context.log.clone();
            for session in context.sessions() {
                // A console that breaks now takes nothing away from the job's result.
                let drained = session.drain(QUIET, LIMIT).await;
                session.flush();
                if let Err(error) = drained {
                    log.debug(error.to_string());
                }
            }
            Ok(())
        })
    }
}
