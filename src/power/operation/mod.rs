//! What switching one outlet consists of, whatever the driver.
//!
//! An outlet has been switched when it reads so. A request whose answer is lost is never repeated
//! blindly: the state is read first, and only a PDU that says "not switched" is asked again. The lost
//! one may be carried out later all the same, whatever the next one comes to; that is told with it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pdu::Seat;
use crate::model::{Kind, State, Verified};
use crate::outlet::{OutletError, Switch};

/// How often a PDU is asked to switch that loses the request and says that it has not switched.
const SWITCH_ATTEMPTS: usize = 3;
/// Pauses between two looks at the state: the first, doubled up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const SLOWEST_LOOK: Duration = Duration::from_millis(500);

/// What an operation on an outlet came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub state: State,
    pub verified: Verified,
    /// A request before the one that was answered may yet be carried out.
    pub late: bool,
}

/// Why an operation was not carried out, or not for certain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// The PDU said so, or nothing could be asked of it.
    #[error("{0}")]
    Outlet(#[from] OutletError),
    #[error(
        "asked to switch {to}: {asked}; and the state cannot be read either, so it may be {to} or not"
    )]
    Unclear { to: Switch, asked: OutletError },
    #[error("asked {times} times to switch {to}: {asked}; and it still reads {state}")]
    Unheard { to: Switch, times: usize, asked: OutletError, state: State },
    #[error(
        "asked to switch {to}: {first}; asked again: {error}; what was asked first may yet be carried out"
    )]
    PerhapsLate { to: Switch, first: Box<OutletError>, error: OutletError },
    #[error("the PDU took the request to switch {to}, but still reads {state} after {within:?}")]
    NotSwitched { to: Switch, state: State, within: Duration },
    #[error("the PDU took the request to switch {to}, but the state cannot be read back: {error}")]
    NotReadBack { to: Switch, error: OutletError },
    /// A cycle of the PDU's own.
    #[error("asked to cycle: {0}; it is on, and may have been off in between or not")]
    CycleUnclear(OutletError),
    #[error("given up half-way, for lava-power is ending; it may be on or off")]
    GivenUp,
    /// The driver, or who calls it, stopped in the middle.
    #[error("stopped half-way by a bug in lava-power, whose log tells more; it may be on or off")]
    Bug,
    #[error("{}, tried for {tried:?}, and tried on until it is: {error}", error.shout())]
    LeftOff { tried: Duration, error: Box<OperationError> },
}

impl OperationError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotSwitched { .. } => Kind::Failed,
            Self::LeftOff { error, .. } => error.kind(),
            Self::Outlet(error) => error.kind(),
            Self::Unclear { .. }
            | Self::Unheard { .. }
            | Self::PerhapsLate { .. }
            | Self::NotReadBack { .. }
            | Self::CycleUnclear(_) => Kind::Lab,
            Self::GivenUp => Kind::Interrupted,
            Self::Bug => Kind::Bug,
        }
    }

    /// Whether the PDU said nothing at all.
    pub(super) fn is_silence(&self) -> bool {
        let word = match self {
            Self::Outlet(error)
            | Self::NotReadBack { error, .. }
            | Self::PerhapsLate { error, .. } => error,
            Self::Unclear { asked, .. } | Self::CycleUnclear(asked) => asked,
            Self::Unheard { .. } | Self::NotSwitched { .. } | Self::GivenUp | Self::Bug => {
                return false;
            }
            Self::LeftOff { error, .. } => return error.is_silence(),
        };
        word.is_silence()
    }

    /// Whether the PDU says nothing to who writes, and answers who reads.
    pub(super) fn is_deafness(&self) -> bool {
        match self {
            Self::Unheard { asked, .. } => matches!(asked, OutletError::Silent(_)),
            Self::LeftOff { error, .. } => error.is_deafness(),
            _ => false,
        }
    }

    /// What the outlet was read to be in the end, if it was.
    pub(super) fn state(&self) -> Option<State> {
        match self {
            Self::Unheard { state, .. } | Self::NotSwitched { state, .. } => Some(*state),
            _ => None,
        }
    }

    /// What everybody has to know of a board that is not known to be on again.
    pub(super) fn shout(&self) -> &'static str {
        if self.is_taken() {
            "SWITCHED OFF, AND IT CANNOT BE READ WHETHER IT IS ON AGAIN"
        } else {
            "SWITCHED OFF AND NOT ON AGAIN"
        }
    }

    /// Whether the PDU took the request, and does not say what came of it.
    pub(super) fn is_taken(&self) -> bool {
        match self {
            Self::NotReadBack { .. } => true,
            Self::NotSwitched { state, .. } => matches!(state, State::Unknown | State::Partly),
            _ => false,
        }
    }

    /// Whether the outlet may have been switched all the same, or still may be.
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Outlet(error) => error.is_unclear(),
            _ => true,
        }
    }
}

impl Seat {
    pub(super) async fn status(&self) -> Result<Outcome, OperationError> {
        Ok(match self.ask_status().await {
            None => Outcome::unknown(),
            Some(state) => match state? {
                // What the PDU says is neither: nothing is verified by that.
                State::Unknown => Outcome::unknown(),
                state => Outcome { state, verified: Verified::Verified, late: false },
            },
        })
    }

    /// Switches the outlet and reads it back. Dropped half-way, it is on or off.
    pub(super) async fn switch(&self, to: Switch) -> Result<Outcome, OperationError> {
        let mut first: Option<OutletError> = None;
        let mut times = 1;
        loop {
            let late = first.is_some();
            let asked = match self.ask_to(to).await {
                Ok(()) => return Ok(Outcome { late, ..self.verify(to).await? }),
                Err(error) if error.is_unclear() => error,
                Err(error) => {
                    return Err(match first {
                        Some(first) => {
                            let first = Box::new(first);
                            OperationError::PerhapsLate { to, first, error }
                        }
                        None => error.into(),
                    });
                }
            };
            match self.ask_status().await {
                Some(Ok(state)) if state == State::from(to) => {
                    return Ok(Outcome { late, ..verified(to) });
                }
                // It is neither: on its way, perhaps.
                Some(Ok(State::Unknown | State::Partly)) => {
                    return Ok(Outcome { late, ..self.verify(to).await? });
                }
                // It reads as something else, so to ask again is to ask for the first time.
                Some(Ok(_)) if times < SWITCH_ATTEMPTS => times += 1,
                Some(Ok(state)) => {
                    return Err(OperationError::Unheard { to, times, asked, state });
                }
                Some(Err(_)) | None => return Err(OperationError::Unclear { to, asked }),
            }
            first.get_or_insert(asked);
        }
    }

    /// Waits until the outlet reads as asked for.
    pub(super) async fn verify(&self, to: Switch) -> Result<Outcome, OperationError> {
        let within = self.pdu.verify;
        let deadline = Instant::now() + within;
        let mut pause = FIRST_LOOK;
        loop {
            let seen = match self.ask_status().await {
                None => {
                    let verified = Verified::Accepted;
                    return Ok(Outcome { state: to.into(), verified, late: false });
                }
                Some(Ok(state)) if state == State::from(to) => return Ok(verified(to)),
                Some(seen) => seen,
            };
            if Instant::now() + pause > deadline {
                return Err(match seen {
                    Ok(state) => OperationError::NotSwitched { to, state, within },
                    Err(error) => OperationError::NotReadBack { to, error },
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }
}

impl Outcome {
    pub(super) fn unknown() -> Self {
        Self { state: State::Unknown, verified: Verified::Unknown, late: false }
    }
}

fn verified(to: Switch) -> Outcome {
    Outcome { state: to.into(), verified: Verified::Verified, late: false }
}

#[cfg(test)]
pub(super) mod fake;
#[cfg(test)]
mod tests;
