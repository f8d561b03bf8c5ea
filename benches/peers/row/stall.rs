//! A client with a small receive buffer stops reading while another one goes on.

use std::time::Duration;

use anyhow::Result;

use super::Measured;
use crate::client::{Client, Readers};
use crate::farm::Does;
use crate::peer::Running;
use crate::report::Figure;

/// In bytes per second.
const RATE: u64 = 1_000_000;
/// The TCP receive buffer of who stops, in bytes.
const BUFFER: usize = 4096;
const STOPS: Duration = Duration::from_secs(8);
const READS_ON: Duration = Duration::from_secs(2);
/// What is left to read after that must come in this time, the board being quiet …
const LEFT: Duration = Duration::from_secs(20);
/// … and has come when nothing has for so long: TCP is in no hurry with a window that was shut.
const QUIET: Duration = Duration::from_secs(2);
const WHAT: &str = "a client stops";

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    if on.peer.most_clients() < 2 {
        return Ok(());
    }
    let mut running = Running::start(on.peer, 1)?;
    let before = running.pss();
    let other = Readers::start(running.attach(0, 1)?);
    let stopped = Client::attach_with(&running.target(0, 1), Some(BUFFER))?;
    running.settle();
    running.tell(0..1, Does::Print(RATE))?;
    std::thread::sleep(STOPS);
    if let (Some(before), Some(after)) = (before, running.pss()) {
        on.add(Figure::StallGrowth, after - before);
    }
    let stopped = Readers::start(vec![stopped]);
    std::thread::sleep(READS_ON);
    running.tell(0..1, Does::Stop)?;
    let settled = stopped.settle(QUIET, LEFT);
    let printed = running.printed(0)?;
    let (stopped, other) = (stopped.stop()?, other.stop()?);
    running.alone()?;
    on.lost(WHAT, &stopped);
    on.lost(WHAT, &other);
    for reading in &other {
        on.add(Figure::StallPause, reading.pause.as_secs_f64());
        if reading.check.missed(printed) > 0 {
            on.note(WHAT, "the other, which goes on reading, misses some as well");
        }
    }
    for reading in &stopped {
        if !settled {
            on.note(WHAT, "when it reads on, it does not come to the end");
        }
        on.add(Figure::StallMissed, reading.check.missed(printed) as f64 / 1e6);
    }
    Ok(())
}
