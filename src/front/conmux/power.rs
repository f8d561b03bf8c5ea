//! The commands on a board's outlet. conmux shows everybody what they print: here events do.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::client::MeansNow;
use super::sender::Order;
use crate::client::lab::Lab;
use crate::client::{OutletRef, outlet};
use crate::console::Console;
use crate::front::cli::{notice, report};
use crate::front::hand_over::HandOver;
use crate::model::event::Phase;
use crate::model::{Failure, Kind, Name, PowerRequest, Refusal, Report, Verb, What, units};

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
        // Who calls themselves as the holder does is not the holder.
        let holder = self.console.status().holder.filter(|it| it.session != self.session);
        if let Some(holder) = holder.filter(|_| verb != Verb::Status) {
            let since = units::time_text(holder.since_us);
            let what = format!("{} has the console since {since}", notice::user(&holder.user));
            return Err(Failure::new(Kind::Refused, what).because(Refusal::Held));
        }
        let outlet = self.outlet().await?;
        let user = Some(self.user.clone());
        let request = PowerRequest { user, reason, ..PowerRequest::default() };
        // Everybody is to see it: lava-power tells them where it knows the console.
        let told = verb == Verb::Status
            || outlet::info(&outlet).await?.is_none_or(|info| info.console.is_some());
        if !told {
            self.note(verb, Phase::Begin, None).await;
        }
        let report = tokio::select! {
            report = outlet::operate(&outlet, verb, &request) => report,
            () = self.hand_over.asked() => {
                let what = "lava-serial is being restarted; ~$status tells what came of it";
                Err(Failure::new(Kind::Infra, what))
            }
        };
        if !told {
            let (phase, detail) = match &report {
                Ok(report) => (Phase::Done, report::text(report)),
                Err(failure) => (Phase::Failed, failure.message.clone()),
            };
            self.note(verb, phase, Some(detail)).await;
        }
        report
    }

    /// The outlet that is configured, else the one that `lava-console` would find.
    async fn outlet(&self) -> Result<OutletRef, Failure> {
        let board = self.console.name();
        let configured = self.means.borrow().outlet.clone();
        if let Some(url) = configured {
            return url.parse().map_err(|error: String| Failure::new(Kind::Config, error));
        }
        let lab = Lab::locate(None, None)?;
        let outlet = lab.board(board.as_str()).await?.outlet;
        outlet.ok_or_else(|| {
            Failure::new(Kind::User, format!("board {board} has no outlet {lab}"))
                .hint("give its [[console]] the URL of one: outlet = \"http://…/outlets/NAME\"")
        })
    }

    async fn note(&self, verb: Verb, phase: Phase, detail: Option<String>) {
        let outlet: Name = self.console.name().clone();
        let what = What::Power { outlet, verb: verb.to_string(), phase, detail };
        // It fails only while the console shuts down.
        let _ = self.console.event(Some(self.user.clone()), what).await;
    }
}
