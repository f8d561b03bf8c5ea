//! A client with a small receive buffer stops reading while another one goes on.

use std::time::Duration;

use anyhow::Result;

use super::Measured;
use crate::client::{Client, Readers};
use crate::farm::Does;
use crate::peer::Running;
use crate::report::{Figure, short};

/// In bytes per second.
const RATE: u64 = 1_000_000;
/// The TCP receive buffer of who stops, in bytes.
const BUFFER: usize = 4096;
const STOPS: Duration = Duration::from_secs(8);
const READS_ON: Duration = Duration::from_secs(2);
/// What is left to read after that must come in this time, the board being quiet.
const LEFT: Duration = Duration::from_secs(8);
const WHAT: &str = "a client stops";

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    if on.peer.most_clients() < 2 {
        return Ok(());
    }
    let mut running = Running::start(on.peer, 1)?;
    let before = running.pss();
    let other = Readers::start(running.attach(0, 1)?);
    let stopped = Client::attach_with(&running.target(0, 1), Some(BUFFER))?;
    running.tell(0..1, Does::Print(RATE))?;
    std::thread::sleep(STOPS);
    running.alone()?;
    if let (Some(before), Some(after)) = (before, running.pss()) {
        on.add(Figure::StallGrowth, after - before);
    }
    let stopped = Readers::start(vec![stopped]);
    std::thread::sleep(READS_ON);
    let other = other.stop()?;
    running.tell(0..1, Does::Stop)?;
    let settled = stopped.settle(LEFT);
    let printed = running.printed(0)?;
    let stopped = stopped.stop()?;
    let lost = on.lost(WHAT, &other);
    if lost > 0.0 {
        on.note(WHAT, &format!("the other loses {} %", short(lost)));
    }
    on.lost(WHAT, &stopped);
    for reading in &other {
        on.add(Figure::StallPause, reading.pause.as_secs_f64());
    }
    for reading in &stopped {
        let mut missed = reading.check.tally.lost;
        let left = printed.saturating_sub(reading.check.position());
        if settled {
            missed += left;
        } else {
            on.note(WHAT, &format!("{} MB were still to come to it", short(left as f64 / 1e6)));
        }
        on.add(Figure::StallMissed, missed as f64 / 1e6);
    }
    Ok(())
}
