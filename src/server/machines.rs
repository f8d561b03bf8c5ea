//! The virtual machines that workers offer: boards that appear by themselves, on their worker and no other one, and are
//! away when it is.
//!
//! A worker says what a machine is like, and not where its console is: that is the one of its name that the
//! `lava-serial` of the same host announces. So who has a worker's token cannot make a board of somebody else's console,
//! or have us ask anywhere. What an admin has described is theirs: a machine of that name is none then.

use std::collections::BTreeMap;

use super::registry::check_texts;
use super::state::State;
use super::{Server, ServerError};
use crate::model::{BoardDescription, DaemonKind, Machine, Name};

/// A worker offers so many at most.
const MOST: usize = 256;

impl Server {
    /// Has the machines there that a worker offers. Why some of them cannot be boards.
    ///
    /// # Errors
    /// When something cannot be written.
    pub(super) async fn take_offers(
        &self,
        state: &mut State,
        worker: &Name,
        machines: &BTreeMap<Name, Machine>,
    ) -> Result<Vec<String>, ServerError> {
        let mut conflicts = Vec::new();
        if machines.len() > MOST {
            let count = machines.len() - MOST;
            conflicts.push(format!("{MOST} machines are taken of a worker, and {count} are not"));
        }
        for (name, machine) in machines.iter().take(MOST) {
            let mut offered = machine.board(worker);
            offered.console = state.console_on(worker, name);
            let known = state.boards.get(name).map(|board| &board.description);
            if let Some(known) = known {
                if let Err(why) = is_from(known, worker) {
                    conflicts.push(format!("{name}: {why}"));
                    continue;
                }
                // Where it was is where it will be.
                offered.console = offered.console.or_else(|| known.console.clone());
                offered = offered.knowing(name, known);
                if offered == *known {
                    continue;
                }
            }
            let fits = check_texts(&offered).and_then(|()| state.check_parts(name, &offered));
            if let Err(error) = fits {
                conflicts.push(format!("{name}: {error}"));
                continue;
            }
            let who = format!("worker {worker}");
            self.describe(state, name.clone(), offered, &who).await?;
        }
        Ok(conflicts)
    }
}

impl State {
    /// Why a board is not there that its worker has offered; `None` when it is, and of others.
    pub(super) fn missed(&self, name: &Name, board: &BoardDescription) -> Option<String> {
        let worker = board.worker.as_ref().filter(|_| board.offered)?;
        match self.jobs.offers(worker) {
            None => Some(format!("nothing was heard of its worker {worker} since the start")),
            Some((false, _)) => Some(format!("nothing is heard of its worker {worker} any more")),
            Some((true, machines)) if !machines.contains_key(name) => {
                Some(format!("its worker {worker} does not offer it any more"))
            }
            Some(_) => None,
        }
    }

    /// The console of this name that is announced on a worker's host.
    fn console_on(&mut self, worker: &Name, name: &Name) -> Option<String> {
        let part = format!("{worker}/{name}");
        self.url_of(DaemonKind::Serial, &part).map(|_| part)
    }
}

/// Whether a board is one that this worker has offered.
fn is_from(board: &BoardDescription, worker: &Name) -> Result<(), String> {
    match &board.worker {
        Some(other) if board.offered && other == worker => Ok(()),
        Some(other) if board.offered => Err(format!("worker {other} offers one of this name")),
        _ => Err("a board of this name was described here, and that counts".into()),
    }
}
