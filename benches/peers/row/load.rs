//! The echo on one console while 100 others print at 115,200 baud, each to a client of its own.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Measured;
use crate::client::{Client, Keys, Readers, round_trips};
use crate::common::percentile;
use crate::farm::Does;
use crate::peer::Running;
use crate::report::Figure;

const CONSOLES: usize = 100;
/// Bytes per second of 115,200 baud with a start and a stop bit.
const RATE: u64 = 11_520;
const KEYS: Keys = Keys { count: 1_500, gap: Duration::from_millis(2) };
/// From the first byte until it is a steady load.
const STEADY: Duration = Duration::from_secs(1);

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    let mut running = Running::start(on.peer, CONSOLES + 1)?;
    running.tell(CONSOLES..CONSOLES + 1, Does::Echo)?;
    let clients = (0..CONSOLES).map(|console| Client::attach(&running.target(console, 0)));
    let readers = Readers::start(clients.collect::<Result<_>>()?);
    let typist = Client::attach(&running.target(CONSOLES, 0))?;
    running.settle();
    running.tell(0..CONSOLES, Does::Print(RATE))?;
    std::thread::sleep(STEADY);
    let (begin, before) = (Instant::now(), running.cpu());
    let times = round_trips(typist, KEYS)?;
    let (elapsed, after) = (begin.elapsed(), running.cpu());
    running.alone()?;
    on.add(Figure::LoadedEchoP50, percentile(&times, 50));
    on.add(Figure::LoadedEchoP99, percentile(&times, 99));
    if let (Some(before), Some(after)) = (before, after) {
        on.add(Figure::LoadCpu, 100.0 * (after - before).as_secs_f64() / elapsed.as_secs_f64());
    }
    let readings = readers.stop()?;
    let lost = on.lost("100 consoles", &readings);
    on.add(Figure::LoadLost, lost);
    Ok(())
}
