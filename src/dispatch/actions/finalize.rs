//! `finalize`: the end of every job, however it went.

use std::io::ErrorKind;

use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::{PowerOff, ReadFeedback};
use crate::dispatch::avh;
use crate::dispatch::context::Context;
use crate::dispatch::power::Asking;
use crate::dispatch::{host, undo};

#[derive(Debug)]
pub struct Finalize;

impl Action for Finalize {
    fn name(&self) -> &'static str {
        "finalize"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(PowerOff), Box::new(ReadFeedback)]
    }
}

/// Switches back what was switched for the job. To be called while its board has power, which what is switched back
/// may need.
pub async fn undo(context: &mut Context) {
    let undo = std::mem::take(&mut context.leavings.undo);
    undo::all(&undo, &Asking::of(context)).await;
}

/// Removes what the job has made on this host. To be called when its board is off: a slow disk or a docker that
/// hangs must not keep it on.
pub async fn tidy(context: &mut Context) {
    // A client that was hung up on leaves its container behind.
    context.leavings.helpers.clear();
    let containers = std::mem::take(&mut context.leavings.containers);
    let rented = context.leavings.rented.clone();
    tokio::join!(
        host::remove_containers(&containers, &context.settings, &context.log),
        avh::give_back(rented, &context.log)
    );
    context.leavings.rented.clear();
    for folder in std::mem::take(&mut context.leavings.folders) {
        let shown = folder.display().to_string();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        match removed {
            Ok(Err(error)) if error.kind() != ErrorKind::NotFound => {
                context.log.warning(format!("{shown} cannot be removed: {error}"));
            }
            Ok(_) => {}
            Err(error) => context.log.warning(format!("{shown} was not removed: {error}")),
        }
    }
}
