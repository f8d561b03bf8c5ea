//! A cycle: off, a wait, and on again. What has lost its power is brought back if at all possible.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Board, Fault, Feed, Whole};
use crate::model::{State, Verified};
use crate::outlet::{OutletError, Switch};
use crate::power::operation::OperationError;

/// How long whoever asked for a cycle waits for the board to come back. Then they are told, and it is
/// tried on ([`crate::power::keeper`]).
pub(in crate::power) const BRING_BACK: Duration = Duration::from_secs(10);
const BRING_BACK_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a cycle keeps the power off when the daemon is told to end meanwhile.
const OFF_TIME_WHEN_ENDING: Duration = Duration::from_secs(1);

impl Board {
    /// All outlets off, verified; the wait; all on, verified. The caller holds the board.
    ///
    /// Unless nothing was switched off for certain, the outlets are asked to be on in the end, also when
    /// switching off has failed: an answer that was lost may have been a yes, and one that comes late
    /// would leave the board without power.
    ///
    /// # Errors
    /// [`OperationError::LeftOff`] when it is not on again, any other when it is or always was.
    pub(in crate::power) async fn cycle(
        &self,
        off_time: Duration,
        ending: &CancellationToken,
    ) -> Result<Whole, Fault> {
        if let [feed] = &self.feeds[..]
            && let Some(asked) = feed.seat.ask_to_cycle().await
        {
            return self.native_cycle(feed, asked, off_time, ending).await;
        }
        let mut verified = Verified::Verified;
        for (step, (at, pause)) in self.off_order().into_iter().enumerate() {
            sleep(pause).await;
            match self.feeds[at].switch(Switch::Off).await {
                Ok(outcome) if outcome.verified == Verified::Verified => {}
                Ok(_) => verified = Verified::Accepted,
                Err(fault) if step == 0 && !fault.error.is_unclear() => return Err(fault),
                Err(fault) => {
                    self.bring_back(ending).await?;
                    return Err(fault);
                }
            }
        }
        stay_off(off_time, ending).await;
        let on = self.bring_back(ending).await?;
        let verified = if on.verified == Verified::Verified { verified } else { on.verified };
        Ok(Whole { verified, ..on })
    }

    /// Never asked for twice: a second cycle would cut the power again. That it reads as on in the
    /// end does not prove that it was off in between.
    async fn native_cycle(
        &self,
        feed: &Feed,
        asked: Result<(), OutletError>,
        off_time: Duration,
        ending: &CancellationToken,
    ) -> Result<Whole, Fault> {
        let fault = |error| Fault { seat: feed.seat.clone(), error };
        if let Err(error) = &asked
            && !error.is_unclear()
        {
            return Err(fault(error.clone().into()));
        }
        stay_off(off_time, ending).await;
        let on = match feed.seat.verify(Switch::On).await {
            Ok(on) => Whole::of(vec![on]),
            // It should be on by now; to ask for that is to ask for it for the first time.
            Err(_) => self.bring_back(ending).await?,
        };
        match asked {
            Ok(()) => Ok(Whole { verified: Verified::Accepted, ..on }),
            Err(error) => Err(fault(OperationError::CycleUnclear(error))),
        }
    }

    async fn bring_back(&self, ending: &CancellationToken) -> Result<Whole, Fault> {
        let started = Instant::now();
        loop {
            let Fault { seat, error } = match self.on().await {
                Ok(whole) => return Ok(whole),
                Err(fault) => fault,
            };
            let tried = started.elapsed();
            if tried + BRING_BACK_PAUSE > BRING_BACK || ending.is_cancelled() {
                let error = OperationError::LeftOff { tried, error: Box::new(error) };
                return Err(Fault { seat, error });
            }
            tracing::error!(
                outlet = self.name.as_str(),
                %error,
                "a cycle switched the board off and cannot switch it on again; trying on"
            );
            sleep(BRING_BACK_PAUSE).await;
        }
    }

    /// Looks whether a board that was brought back is still on, some time later: a PDU may have carried
    /// out late what it had not answered. One that cannot be asked is told once more.
    pub(in crate::power) async fn is_still_on(&self) -> bool {
        match self.status().await {
            Ok(whole) if whole.verified == Verified::Unknown => self.on().await.is_ok(),
            Ok(whole) => whole.state == State::On,
            Err(_) => false,
        }
    }
}

async fn stay_off(off_time: Duration, ending: &CancellationToken) {
    let ending = async {
        ending.cancelled().await;
        sleep(OFF_TIME_WHEN_ENDING).await;
    };
    tokio::select! {
        () = sleep(off_time) => {}
        () = ending => {}
    }
}
