//! From a key to its echo, with nothing else to do.

use std::time::Duration;

use anyhow::Result;

use super::Measured;
use crate::client::{Client, Keys, round_trips};
use crate::common::percentile;
use crate::farm::Does;
use crate::peer::Running;
use crate::report::Figure;

const KEYS: Keys = Keys { count: 1_000, gap: Duration::from_millis(1) };

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    let mut running = Running::start(on.peer, 1)?;
    running.tell(0..1, Does::Echo)?;
    let times = round_trips(Client::attach(&running.target(0, 0))?, KEYS)?;
    running.alone()?;
    on.add(Figure::EchoP50, percentile(&times, 50));
    on.add(Figure::EchoP99, percentile(&times, 99));
    Ok(())
}
