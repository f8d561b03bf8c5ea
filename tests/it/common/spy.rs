//! Somebody who looks at the console of a job's own QEMU, as soon as it is there.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lavamux::wire::frame::Frame;
use tokio_tungstenite::tungstenite::{Message, client};

use super::heard::Heard;
use super::lab::TestLab;

pub(crate) struct Spy {
    over: Arc<AtomicBool>,
    seen: Heard,
    thread: JoinHandle<()>,
}

impl Spy {
    /// Looks at the console of this name, from its first byte on.
    pub(crate) fn on(lab: &TestLab, console: &str) -> Self {
        let (run, over) = (lab.path("run"), Arc::new(AtomicBool::new(false)));
        let url = format!("ws://localhost/consoles/{console}/attach?mode=spy&from=0&user=spy");
        let (ended, seen) = (Arc::clone(&over), Heard::default());
        let sees = seen.clone();
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) && !look(&run, &url, &sees) {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { over, seen, thread }
    }

    /// How many bytes it has seen until now.
    pub(crate) fn has_seen(&self) -> usize {
        self.seen.len()
    }

    /// All that it has seen, now that the job is over; nothing where there was no such console.
    pub(crate) fn seen(self) -> Vec<u8> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.seen.bytes()
    }
}

/// Hears a console to its end, once one of the daemons has it.
fn look(run: &Path, url: &str, sees: &Heard) -> bool {
    let sockets = std::fs::read_dir(run).unwrap().flatten().map(|entry| entry.path());
    let sockets = sockets.filter(|path| path.extension().is_some_and(|end| end == "sock"));
    let mut attached = sockets.filter_map(|path| {
        let stream = UnixStream::connect(path).ok()?;
        client(url, stream).ok().map(|(socket, _)| socket)
    });
    let Some(mut socket) = attached.next() else { return false };
    while let Ok(message) = socket.read() {
        if let Message::Binary(message) = message {
            sees.push(&Frame::decode(message).unwrap().bytes);
        }
    }
    true
}
