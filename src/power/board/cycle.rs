//! A cycle: off, a wait, and on again. What has lost its power is brought back if at all possible.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Board, Fault, Feed, Whole};
use crate::model::{State, Verified};
use crate::outlet::{OutletError, Switch};
use crate::power::operation::OperationError;

/// How long whoever asked for a cycle waits for the board to come back. Then they are told, and it is
/// tried on ([`crate::power::keeper`]).
pub(in crate::power) const BRING_BACK: Duration = Duration::from_secs(10);
const BRING_BACK_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a cycle keeps the power off when the daemon is told to end meanwhile, if it does
/// not have to be off for longer.
const OFF_TIME_WHEN_ENDING: Duration = Duration::from_secs(1);

/// How long a cycle keeps the power off.
#[derive(Debug, Clone, Copy)]
pub(in crate::power) struct OffTime {
    pub(in crate::power) wanted: Duration,
    /// What a budget demands, whatever happens. Not longer than what is wanted.
    pub(in crate::power) least: Duration,
}

/// Whether outlets that were brought back are still on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::power) enum Seen {
    On,
    Off,
    /// The PDU takes what it is asked, and does not say what came of it.
    Untold,
    Silent,
}

impl Board {
    /// All outlets off, verified; the wait; all on, verified. The caller holds the board.
    ///
    /// Unless nothing was switched off for certain, the outlets are asked to be on in the end, also when
    /// switching off has failed: an answer that was lost may have been a yes, and one that comes late
    /// would leave the board without power. A PDU's own cycle is as long as the PDU likes, so it is not
    /// used where there is a least time.
    ///
    /// # Errors
    /// [`OperationError::LeftOff`] when it is not on again, any other when it is or always was.
    pub(in crate::power) async fn cycle(
        &self,
        off_time: OffTime,
        ending: &CancellationToken,
    ) -> Result<Whole, Fault> {
        if let [feed] = &self.feeds[..]
            && off_time.least.is_zero()
            && let Some(asked) = feed.seat.ask_to_cycle().await
        {
            return self.native_cycle(feed, asked, off_time, ending).await;
        }
        let (mut verified, mut late) = (Verified::Verified, false);
        for (step, (at, delay)) in self.off_order().into_iter().enumerate() {
            pause(delay, ending).await;
            match self.feeds[at].switch(Switch::Off).await {
                Ok(outcome) => {
                    late |= outcome.late;
                    if outcome.verified != Verified::Verified {
                        verified = Verified::Accepted;
                    }
                }
                Err(fault) if step == 0 && !fault.error.is_unclear() => return Err(fault),
                Err(fault) => {
                    late |= fault.late;
                    sleep(off_time.least).await;
                    self.bring_back(late, ending).await?;
                    return Err(Fault { late, is_on: true, ..fault });
                }
            }
        }
        stay_off(off_time, ending).await;
        let on = self.bring_back(late, ending).await?;
        let verified = if on.verified == Verified::Verified { verified } else { on.verified };
        Ok(Whole { verified, late, ..on })
    }

    /// Never asked for twice: a second cycle would cut the power again. That it reads as on in the
    /// end does not prove that it was off in between.
    async fn native_cycle(
        &self,
        feed: &Feed,
        asked: Result<(), OutletError>,
        off_time: OffTime,
        ending: &CancellationToken,
    ) -> Result<Whole, Fault> {
        if let Err(error) = &asked
            && !error.is_unclear()
        {
            return Err(Fault::new(&feed.seat, error.clone().into()));
        }
        let late = asked.is_err();
        stay_off(off_time, ending).await;
        let on = match feed.seat.verify(Switch::On).await {
            Ok(on) => Whole::of(vec![on]),
            // It should be on by now; to ask for that is to ask for it for the first time.
            Err(_) => self.bring_back(late, ending).await?,
        };
        match asked {
            Ok(()) => Ok(Whole { verified: Verified::Accepted, ..on }),
            Err(error) => {
                let fault = Fault::new(&feed.seat, OperationError::CycleUnclear(error));
                Err(Fault { is_on: true, ..fault })
            }
        }
    }

    /// `late`: something that was asked may yet be carried out.
    async fn bring_back(&self, late: bool, ending: &CancellationToken) -> Result<Whole, Fault> {
        let started = Instant::now();
        loop {
            let Fault { seat, error, .. } = match self.on(ending).await {
                Ok(whole) => return Ok(whole),
                Err(fault) => fault,
            };
            let tried = started.elapsed();
            if tried + BRING_BACK_PAUSE > BRING_BACK || ending.is_cancelled() {
                let error = OperationError::LeftOff { tried, error: Box::new(error) };
                return Err(Fault { late, ..Fault::new(&seat, error) });
            }
            tracing::error!(
                outlet = self.name.as_str(),
                %error,
                "a cycle switched the board off and cannot switch it on again; trying on"
            );
            sleep(BRING_BACK_PAUSE).await;
        }
    }

    /// Looks whether outlets that were brought back are still on, some time later: a PDU may have
    /// carried out late what it had not answered. One that cannot be asked is told once more.
    pub(in crate::power) async fn look(&self, feeds: &[&Feed]) -> Seen {
        let mut all = Seen::On;
        for feed in feeds {
            let seen = match feed.seat.status().await {
                Ok(outcome) if outcome.verified == Verified::Unknown => {
                    match feed.switch(Switch::On).await {
                        Ok(_) => Seen::On,
                        Err(fault) if fault.error.is_taken() => Seen::Untold,
                        Err(_) => Seen::Silent,
                    }
                }
                Ok(outcome) if outcome.state == State::On => Seen::On,
                Ok(_) => return Seen::Off,
                Err(_) => Seen::Silent,
            };
            if seen != Seen::On && all != Seen::Silent {
                all = seen;
            }
        }
        all
    }
}

/// Waits, unless the daemon is to end: then there is no time for that.
pub(super) async fn pause(time: Duration, ending: &CancellationToken) {
    ending.run_until_cancelled(sleep(time)).await;
}

async fn stay_off(OffTime { wanted, least }: OffTime, ending: &CancellationToken) {
    let since = Instant::now();
    let ending = async {
        ending.cancelled().await;
        sleep(OFF_TIME_WHEN_ENDING).await;
        sleep_until(since + least).await;
    };
    tokio::select! {
        () = sleep(wanted) => {}
        () = ending => {}
    }
}
