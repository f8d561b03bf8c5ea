//! One console that prints as fast as it can.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Measured;
use crate::client::{Readers, Reading};
use crate::farm::Does;
use crate::peer::Running;
use crate::report::Figure;

const TIME: Duration = Duration::from_secs(3);

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    use Figure::{FlatToOne, FlatToOneCpu, FlatToOneLost, FlatToTen, FlatToTenCpu, FlatToTenLost};
    to(on, 1, [FlatToOne, FlatToOneCpu, FlatToOneLost])?;
    if on.peer.most_clients() >= 10 {
        to(on, 10, [FlatToTen, FlatToTenCpu, FlatToTenLost])?;
    }
    Ok(())
}

fn to(on: &mut Measured, clients: usize, [rate, cpu, lost]: [Figure; 3]) -> Result<()> {
    let mut running = Running::start(on.peer, 1)?;
    let readers = Readers::start(running.attach(0, clients)?);
    running.settle();
    let (begin, cpu_before) = (Instant::now(), running.cpu());
    running.tell(0..1, Does::FlatOut)?;
    std::thread::sleep(TIME);
    let readings = readers.stop()?;
    let (elapsed, cpu_after) = (begin.elapsed(), running.cpu());
    running.alone()?;
    let megabytes = bytes(&readings) as f64 / 1e6 / clients as f64;
    on.add(rate, megabytes / elapsed.as_secs_f64());
    if let (Some(before), Some(after)) = (cpu_before, cpu_after) {
        on.add(cpu, (after - before).as_secs_f64() / megabytes);
    }
    let share = on.lost(&format!("flat out to {clients}"), &readings);
    on.add(lost, share);
    Ok(())
}

fn bytes(readings: &[Reading]) -> u64 {
    readings.iter().map(|reading| reading.check.tally.bytes).sum()
}
