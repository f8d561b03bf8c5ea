//! Clients that read all they get, on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rustix::event::{Timespec, epoll};

use super::Client;
use crate::record::Check;

/// What is read at once, in bytes.
const BUFFER: usize = 256 * 1024;
/// How soon the thread sees that it is over, if nothing comes.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) struct Readers {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<Vec<Reading>>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// What all of them have read so far, in bytes.
    read: AtomicU64,
}

/// What one client has read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub check: Check,
    /// The longest time between two pieces of output.
    pub pause: Duration,
    /// Whether the server has ended the connection.
    pub thrown_out: bool,
    last: Option<Instant>,
}

impl Readers {
    pub(crate) fn start(clients: Vec<Client>) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || read_until_over(clients, &shared)
        });
        Self { shared, thread }
    }

    /// Waits until nothing has come for so long, and tells whether it was before the limit.
    pub(crate) fn settle(&self, quiet: Duration, limit: Duration) -> bool {
        let begin = Instant::now();
        let mut before = None;
        while begin.elapsed() < limit {
            let now = self.shared.read.load(Ordering::Relaxed);
            if before == Some(now) {
                return true;
            }
            before = Some(now);
            std::thread::sleep(quiet);
        }
        false
    }

    /// Ends the reading. What is under way then is not missing from anything.
    pub(crate) fn stop(self) -> Result<Vec<Reading>> {
        self.shared.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("a reader's thread panicked"))?
    }
}

fn read_until_over(mut clients: Vec<Client>, shared: &Shared) -> Result<Vec<Reading>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (at, client) in clients.iter().enumerate() {
        let data = epoll::EventData::new_u64(at as u64);
        epoll::add(&epoll, client, data, epoll::EventFlags::IN)?;
    }
    let mut readings: Vec<Reading> = clients.iter().map(|_| Reading::new()).collect();
    let look = Timespec::try_from(LOOK)?;
    let mut buffer = vec![0; BUFFER];
    let mut events = Vec::with_capacity(clients.len().max(1));
    while !shared.over.load(Ordering::Relaxed) {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&look))?;
        for event in &events {
            let at = usize::try_from(event.data.u64())?;
            match clients[at].read(&mut buffer) {
                Ok(Some(read)) => {
                    readings[at].came(&buffer[..read]);
                    shared.read.fetch_add(read as u64, Ordering::Relaxed);
                }
                Ok(None) | Err(_) => {
                    epoll::delete(&epoll, &clients[at]).context("a client that has ended")?;
                    readings[at].thrown_out = true;
                }
            }
        }
    }
    Ok(readings)
}

impl Reading {
    fn new() -> Self {
        Self { check: Check::new(), pause: Duration::ZERO, thrown_out: false, last: None }
    }

    fn came(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let now = Instant::now();
            let pause = self.last.map_or(Duration::ZERO, |last| now.duration_since(last));
            self.pause = self.pause.max(pause);
            self.last = Some(now);
            self.check.feed(bytes);
        }
    }
}
