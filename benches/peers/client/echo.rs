//! One key at a time, and the time until its echo.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Client, PATIENCE};

/// How long the greetings may take that come after attaching.
const GREETING: Duration = Duration::from_millis(300);
/// Keys typed before those that count.
const WARM_UP: usize = 10;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    pub count: usize,
    /// The pause between an echo and the next key.
    pub gap: Duration,
}

/// The times from each key to its echo, sorted, in microseconds.
pub(crate) fn round_trips(mut client: Client, keys: Keys) -> Result<Vec<f64>> {
    let mut buffer = vec![0; 64 * 1024];
    while client.readable(GREETING)? {
        client.read(&mut buffer)?.context("the server has ended the connection")?;
    }
    let mut times = Vec::with_capacity(keys.count);
    for (at, key) in (b'a'..=b'z').cycle().take(WARM_UP + keys.count).enumerate() {
        let begin = Instant::now();
        client.key(key)?;
        loop {
            ensure!(client.readable(PATIENCE)?, "key {at} has no echo");
            let read = client.read(&mut buffer)?.context("the server has ended the connection")?;
            if buffer[..read].contains(&key) {
                break;
            }
        }
        if at >= WARM_UP {
            times.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        std::thread::sleep(keys.gap);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
