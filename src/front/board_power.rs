//! The outlet of a board, switched by who is at its console: `lava-serial` asks `lava-power` for them.

use std::sync::Arc;

use crate::client::lab::Lab;
use crate::client::{OutletRef, outlet};
use crate::console::Console;
use crate::front::cli::{notice, report};
use crate::front::hand_over::HandOver;
use crate::model::event::Phase;
use crate::model::{Behalf, Failure, Kind, PowerRequest, Refusal, Report, Verb, What, units};

/// Somebody at a console.
#[derive(Debug)]
pub(super) struct AtConsole<'a> {
    pub(super) console: &'a Console,
    pub(super) user: &'a str,
    /// Their session, if they have one there.
    pub(super) session: Option<u64>,
    /// Who they have proved to be: lava-power then acts for them, who may what both of us may.
    pub(super) behalf: Option<Behalf>,
}

impl AtConsole<'_> {
    /// Carries out a verb on the board's outlet: on the one of this URL, if the console has one.
    ///
    /// # Errors
    /// [`Kind::Refused`] when somebody else has the console, or as `lava-power` says; else its failure.
    pub(super) async fn operate(
        &self,
        verb: Verb,
        url: Option<&str>,
        request: PowerRequest,
        hand_over: &HandOver,
    ) -> Result<Report, Failure> {
        // Who calls themselves as the holder does is not the holder.
        let holder = self.console.status().holder.filter(|it| Some(it.session) != self.session);
        if let Some(holder) = holder.filter(|_| verb != Verb::Status && !request.force) {
            let since = units::time_text(holder.since_us);
            let what = format!("{} has the console since {since}", notice::user(&holder.user));
            return Err(Failure::new(Kind::Refused, what).because(Refusal::Held));
        }
        let outlet = self.outlet(url).await?;
        // Everybody is to see it: lava-power tells them where it knows the console.
        let told = verb == Verb::Status
            || outlet::info(&outlet).await?.is_none_or(|info| info.console.is_some());
        if !told {
            self.note(verb, Phase::Begin, None).await;
        }
        let report = tokio::select! {
            report = outlet::operate(&outlet, verb, &request) => report,
            () = hand_over.asked() => {
                let what = "lava-serial is being restarted; the board's status tells what came of it";
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
    async fn outlet(&self, url: Option<&str>) -> Result<OutletRef, Failure> {
        let board = self.console.name();
        let mut outlet: OutletRef = match url {
            Some(url) => url.parse().map_err(|error: String| Failure::new(Kind::Config, error))?,
            None => {
                let lab = Lab::locate(None, None)?;
                let outlet = lab.board(board.as_str()).await?.outlet;
                outlet.ok_or_else(|| {
                    Failure::new(Kind::User, format!("board {board} has no outlet {lab}")).hint(
                        "give its [[console]] the URL of one: outlet = \"http://…/outlets/NAME\"",
                    )
                })?
            }
        };
        let narrowed = self.behalf.as_ref().map(|behalf| behalf.as_on((board, outlet.name()), []));
        outlet.login.behalf = narrowed.map(Arc::new);
        Ok(outlet)
    }

    async fn note(&self, verb: Verb, phase: Phase, detail: Option<String>) {
        let outlet = self.console.name().clone();
        let what = What::Power { outlet, verb: verb.to_string(), phase, detail };
        // It fails only while the console shuts down.
        let _ = self.console.event(Some(self.user.to_owned()), what).await;
    }
}
