//! Whether the measure itself is right: faults that the board makes must be found, each of them
//! and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::client::Readers;
use crate::farm::Does;
use crate::peer::{self, Running};
use crate::record::{RECORD, Tally};

/// Long enough for the board to come to its next fault.
const BETWEEN: Duration = Duration::from_millis(100);
const RATE: u64 = 1_000_000;

pub(crate) fn finds_what_is_wrong() -> Result<()> {
    let bare = peer::Name::Bare.peer();
    for (faults, expected) in [
        (&[][..], [0, 0, 0]),
        (&[Does::Skip], [3, 0, 0]),
        (&[Does::Repeat], [0, 2, 0]),
        // What is damaged did not come as it was, either.
        (&[Does::Damage], [1, 0, 1]),
        (&[Does::Skip, Does::Damage, Does::Repeat, Does::Skip], [7, 2, 1]),
    ] {
        let found = found(&*bare, faults)?;
        let [lost, repeated, damaged] = expected;
        let (lost, repeated) = (lost * RECORD as u64, repeated * RECORD as u64);
        let expected = Tally { bytes: found.bytes, lost, repeated, damaged };
        ensure!(found == expected, "the board did {faults:?}, and this was found: {found:?}");
        ensure!(found.bytes > 0, "nothing came");
    }
    Ok(())
}

fn found(bare: &dyn peer::Peer, faults: &[Does]) -> Result<Tally> {
    let mut running = Running::start(bare, 1)?;
    let readers = Readers::start(running.attach(0, 1)?);
    running.tell(0..1, Does::Print(RATE))?;
    for fault in faults {
        std::thread::sleep(BETWEEN);
        running.tell(0..1, *fault)?;
    }
    std::thread::sleep(BETWEEN);
    running.tell(0..1, Does::Stop)?;
    readers.settle(3 * BETWEEN, Duration::from_secs(5));
    let readings = readers.stop()?;
    running.alone()?;
    ensure!(readings.len() == 1 && !readings[0].thrown_out, "the reader is gone");
    Ok(readings[0].check.tally)
}
