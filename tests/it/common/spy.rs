//! Somebody who looks at the console of a job's own QEMU, as soon as it is there.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lavamux::wire::frame::Frame;
use tokio_tungstenite::tungstenite::{Message, client};

use super::lab::TestLab;

pub(crate) struct Spy {
    over: Arc<AtomicBool>,
    seen: JoinHandle<Vec<u8>>,
}

impl Spy {
    /// Looks at the console of this name, from its first byte on.
    pub(crate) fn on(lab: &TestLab, console: &str) -> Self {
        let (run, over) = (lab.path("run"), Arc::new(AtomicBool::new(false)));
        let url = format!("ws://localhost/consoles/{console}/attach?mode=spy&from=0&user=spy");
        let ended = Arc::clone(&over);
        let seen = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if let Some(seen) = look(&run, &url) {
                    return seen;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Vec::new()
        });
        Self { over, seen }
    }

    /// All that it has seen, now that the job is over; nothing where there was no such console.
    pub(crate) fn seen(self) -> Vec<u8> {
        self.over.store(true, Ordering::Relaxed);
        self.seen.join().unwrap()
    }
}

/// What a console says to its end, once one of the daemons has it.
fn look(run: &Path, url: &str) -> Option<Vec<u8>> {
    let sockets = std::fs::read_dir(run).unwrap().flatten().map(|entry| entry.path());
    let sockets = sockets.filter(|path| path.extension().is_some_and(|end| end == "sock"));
    let mut attached = sockets.filter_map(|path| {
        let stream = UnixStream::connect(path).ok()?;
        client(url, stream).ok().map(|(socket, _)| socket)
    });
    let mut socket = attached.next()?;
    let mut seen = Vec::new();
    while let Ok(message) = socket.read() {
        if let Message::Binary(message) = message {
            seen.extend_from_slice(&Frame::decode(message).unwrap().bytes);
        }
    }
    Some(seen)
}
