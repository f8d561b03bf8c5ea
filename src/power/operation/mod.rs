//! What on, off, cycle and status consist of, whatever the driver.
//!
//! An outlet has been switched when it reads so. A request whose answer is lost is never repeated
//! blindly: the state is read first, and only a PDU that says "not switched" is asked again.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::model::{Kind, Name, State, Verified};
use crate::outlet::{Answer, Outlet, OutletError, Switch};

/// How often a PDU is asked to switch that loses the request and says that it has not switched.
const SWITCH_ATTEMPTS: usize = 3;
/// Pauses between two looks at the state: the first, doubled up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const SLOWEST_LOOK: Duration = Duration::from_millis(500);
/// How long a board that was switched off by a cycle is tried to be brought back.
pub(super) const BRING_BACK: Duration = Duration::from_secs(30);
const BRING_BACK_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a cycle keeps the power off when the daemon is told to end meanwhile.
const OFF_TIME_WHEN_ENDING: Duration = Duration::from_secs(1);

/// One operation on one outlet. Dropped half-way, the outlet is in whatever state it is in.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub name: &'a Name,
    pub outlet: &'a dyn Outlet,
    /// How long the PDU may take to answer one request.
    pub timeout: Duration,
    /// How long the outlet may take to read as asked for.
    pub verify: Duration,
    pub off_time: Duration,
    /// Cancelled when the daemon is to end.
    pub ending: &'a CancellationToken,
}

/// What an operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub state: State,
    pub verified: Verified,
}

/// Why an operation was not carried out, or not for certain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Somebody else has the board for themselves. The PDU was not asked.
    #[error("{board} is held by {user} since {since}; nothing was switched")]
    Held { board: Name, user: String, since: String },
    /// The PDU said so, or nothing could be asked of it.
    #[error("{0}")]
    Outlet(#[from] OutletError),
    #[error(
        "asked to switch {to}: {asked}; and the state cannot be read either, so it may be {to} or not"
    )]
    Unclear { to: Switch, asked: OutletError },
    #[error("the PDU took the request to switch {to}, but still reads {state} after {within:?}")]
    NotSwitched { to: Switch, state: State, within: Duration },
    #[error("the PDU took the request to switch {to}, but the state cannot be read back: {error}")]
    NotReadBack { to: Switch, error: OutletError },
    #[error("given up half-way, for lava-power is ending; it may be on or off")]
    GivenUp,
    #[error("SWITCHED OFF AND NOT ON AGAIN, tried for {tried:?}: {error}")]
    LeftOff { tried: Duration, error: Box<OperationError> },
}

impl OperationError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Held { .. } => Kind::Refused,
            Self::NotSwitched { .. } => Kind::Failed,
            Self::LeftOff { error, .. } => error.kind(),
            Self::Outlet(error) => error.kind(),
            Self::Unclear { .. } | Self::NotReadBack { .. } => Kind::Lab,
            Self::GivenUp => Kind::Interrupted,
        }
    }

    /// Whether the PDU said nothing at all.
    pub(super) fn is_silence(&self) -> bool {
        self.last_word().is_some_and(|error| matches!(error, OutletError::Silent(_)))
    }

    /// Whether the PDU is there, as far as this shows. `None` when it was not asked.
    pub(super) fn pdu_answers(&self) -> Option<bool> {
        let asked = !matches!(self, Self::Held { .. });
        asked.then(|| self.last_word().is_none_or(OutletError::is_answer))
    }

    fn last_word(&self) -> Option<&OutletError> {
        match self {
            Self::Outlet(error) | Self::NotReadBack { error, .. } => Some(error),
            Self::Unclear { asked, .. } => Some(asked),
            Self::Held { .. } | Self::NotSwitched { .. } | Self::GivenUp => None,
            Self::LeftOff { error, .. } => error.last_word(),
        }
    }
}

impl Operation<'_> {
    pub(super) async fn status(&self) -> Result<Outcome, OperationError> {
        Ok(match self.read().await {
            None => Outcome { state: State::Unknown, verified: Verified::Unknown },
            Some(state) => Outcome { state: state?, verified: Verified::Verified },
        })
    }

    pub(super) async fn switch(&self, to: Switch) -> Result<Outcome, OperationError> {
        let mut attempt = 1;
        loop {
            let asked = match self.ask(self.outlet.switch(to)).await {
                Ok(()) => return self.verify(to).await,
                Err(error) if error.is_unclear() => error,
                Err(error) => return Err(error.into()),
            };
            match self.read().await {
                Some(Ok(state)) if state == State::from(to) => return Ok(verified(to)),
                // It reads as something else, so to ask again is to ask for the first time.
                Some(Ok(_)) if attempt < SWITCH_ATTEMPTS => attempt += 1,
                Some(Ok(_)) => return Err(asked.into()),
                Some(Err(_)) | None => return Err(OperationError::Unclear { to, asked }),
            }
        }
    }

    /// Off, verified; the wait; on, verified. Once it is off it is brought back if at all possible.
    pub(super) async fn cycle(&self) -> Result<Outcome, OperationError> {
        if let Some(answer) = self.outlet.cycle() {
            return self.native_cycle(answer).await;
        }
        let off = self.switch(Switch::Off).await?;
        self.stay_off().await;
        let on = self.bring_back().await?;
        let both = off.verified == Verified::Verified && on.verified == Verified::Verified;
        let verified = if both { Verified::Verified } else { Verified::Accepted };
        Ok(Outcome { verified, ..on })
    }

    /// Never asked for twice: a second cycle would cut the power again. That it reads as on in the
    /// end does not prove that it was off in between.
    async fn native_cycle(&self, answer: Answer<'_, ()>) -> Result<Outcome, OperationError> {
        self.ask(answer).await?;
        sleep(self.off_time).await;
        let Outcome { state, .. } = self.verify(Switch::On).await?;
        Ok(Outcome { state, verified: Verified::Accepted })
    }

    async fn stay_off(&self) {
        let ending = async {
            self.ending.cancelled().await;
            sleep(OFF_TIME_WHEN_ENDING).await;
        };
        tokio::select! {
            () = sleep(self.off_time) => {}
            () = ending => {}
        }
    }

    async fn bring_back(&self) -> Result<Outcome, OperationError> {
        let started = Instant::now();
        loop {
            let error = match self.switch(Switch::On).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let tried = started.elapsed();
            if tried + BRING_BACK_PAUSE > BRING_BACK || self.ending.is_cancelled() {
                return Err(OperationError::LeftOff { tried, error: Box::new(error) });
            }
            tracing::error!(
                outlet = self.name.as_str(),
                %error,
                "a cycle switched the outlet off and cannot switch it on again; trying on"
            );
            sleep(BRING_BACK_PAUSE).await;
        }
    }

    /// Waits until the outlet reads as asked for.
    async fn verify(&self, to: Switch) -> Result<Outcome, OperationError> {
        let deadline = Instant::now() + self.verify;
        let mut pause = FIRST_LOOK;
        loop {
            let seen = match self.read().await {
                None => return Ok(Outcome { state: to.into(), verified: Verified::Accepted }),
                Some(Ok(state)) if state == State::from(to) => return Ok(verified(to)),
                Some(seen) => seen,
            };
            if Instant::now() + pause > deadline {
                return Err(match seen {
                    Ok(state) => OperationError::NotSwitched { to, state, within: self.verify },
                    Err(error) => OperationError::NotReadBack { to, error },
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }

    async fn read(&self) -> Option<Result<State, OutletError>> {
        Some(self.ask(self.outlet.status()?).await)
    }

    async fn ask<T>(&self, answer: Answer<'_, T>) -> Result<T, OutletError> {
        let answered = timeout(self.timeout, answer).await;
        answered.unwrap_or(Err(OutletError::Silent(self.timeout)))
    }
}

fn verified(to: Switch) -> Outcome {
    Outcome { state: to.into(), verified: Verified::Verified }
}

#[cfg(test)]
mod tests;
