//! Memory of idle consoles, and how long many of them take to start.

use std::time::Duration;

use anyhow::Result;

use super::Measured;
use crate::client::Client;
use crate::peer::Running;
use crate::report::Figure;

/// From listening, or from the last client, until memory is what it will be.
const SETTLED: Duration = Duration::from_millis(1_500);

pub(crate) fn measure(on: &mut Measured) -> Result<()> {
    for (consoles, figure) in
        [(1, Figure::PssOf1), (100, Figure::PssOf100), (1_000, Figure::PssOf1000)]
    {
        let running = Running::start(on.peer, consoles)?;
        let Some(pss) = settled(&running) else { return Ok(()) };
        on.add(figure, pss);
        if consoles == 1_000 {
            on.add(Figure::StartOf1000, running.start.as_secs_f64());
            let clients = (0..consoles).map(|console| Client::attach(&running.target(console, 0)));
            let _clients: Vec<Client> = clients.collect::<Result<_>>()?;
            if let Some(pss) = settled(&running) {
                on.add(Figure::PssOf1000Attached, pss);
            }
        }
    }
    Ok(())
}

fn settled(running: &Running) -> Option<f64> {
    std::thread::sleep(SETTLED);
    running.pss()
}
