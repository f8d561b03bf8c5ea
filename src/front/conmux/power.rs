//! The commands on a board's outlet. conmux shows everybody what they print: here events do.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::client::MeansNow;
use super::sender::Order;
use crate::console::Console;
use crate::front::board_power::AtConsole;
use crate::front::cli::report;
use crate::front::hand_over::HandOver;
use crate::model::{Failure, PowerRequest, Refusal, Report, Verb};

/// How many commands of one client may be under way.
const MAX_RUNNING: usize = 4;

/// What one client needs to switch its board. Commands go on when the client has gone.
#[derive(Debug, Clone)]
pub(super) struct Power {
    pub(super) console: Arc<Console>,
    pub(super) user: String,
    pub(super) session: u64,
    pub(super) means: MeansNow,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) running: Arc<Semaphore>,
    /// Runs the commands.
    pub(super) tasks: TaskTracker,
    pub(super) hand_over: HandOver,
}

impl Power {
    /// How many commands one client may have under way.
    pub(super) fn room() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(MAX_RUNNING))
    }

    /// Begins a command.
    ///
    /// # Errors
    /// What its person is told when there are too many.
    pub(super) fn begin(&self, verb: Verb, reason: Option<String>) -> Result<(), String> {
        let room = self.running.clone().try_acquire_owned();
        let room = room.map_err(|_| format!("{MAX_RUNNING} commands are under way already\n"))?;
        let power = self.clone();
        self.tasks.spawn(async move {
            let told = match power.carry_out(verb, reason).await {
                Ok(report) if verb == Verb::Status => format!("[{}]\n", report::text(&report)),
                // Everybody is told by an event.
                Ok(_) => String::new(),
                Err(failure) if failure.refusal.is_some_and(Refusal::yields_to_holder) => {
                    format!("[{}; ~$force takes the console, then try again]\n", failure.message)
                }
                Err(failure) => format!("{failure}\n"),
            };
            drop(room);
            if !told.is_empty() {
                // It may have gone by now.
                let _ = power.orders.send(Order::Send(told.into())).await;
            }
        });
        Ok(())
    }

    async fn carry_out(&self, verb: Verb, reason: Option<String>) -> Result<Report, Failure> {
        let Self { console, user, session, .. } = self;
        let outlet = self.means.borrow().outlet.clone();
        let request = PowerRequest { user: Some(user.clone()), reason, ..PowerRequest::default() };
        let somebody = AtConsole { console, user, session: Some(*session), behalf: None };
        somebody.operate(verb, outlet.as_deref(), request, &self.hand_over).await
    }
}
