//! What one client has heard so far, collected by a thread of its own.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A growing transcript that can be waited on.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Heard {
    /// Listens to `source` until it ends.
    pub(crate) fn from(mut source: impl Read + Send + 'static) -> Self {
        let heard = Self::default();
        let writer = heard.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            loop {
                match source.read(&mut buffer) {
                    // A pty whose other end is closed says EIO.
                    Ok(0) => break writer.end(),
                    Ok(n) => writer.push(&buffer[..n]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break writer.end(),
                }
            }
        });
        heard
    }

    pub(crate) fn push(&self, bytes: &[u8]) {
        self.shared.state.lock().unwrap().bytes.extend_from_slice(bytes);
        self.shared.grown.notify_all();
    }

    pub(crate) fn end(&self) {
        self.shared.state.lock().unwrap().ended = true;
        self.shared.grown.notify_all();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.state.lock().unwrap().bytes.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.shared.state.lock().unwrap().bytes.len()
    }

    /// Everything heard, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(crate) fn ended(&self) -> bool {
        self.shared.state.lock().unwrap().ended
    }

    /// Waits for `text` at or after `from`, and gives the position after it.
    ///
    /// # Errors
    /// What was heard instead, when it has not come within the limit or the source has ended.
    pub(crate) fn find(&self, limit: Duration, from: usize, text: &[u8]) -> Result<usize, String> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state.lock().unwrap();
        let mut searched = from;
        loop {
            let tail = state.bytes.get(searched..).unwrap_or_default();
            if let Some(at) = tail.windows(text.len()).position(|window| window == text) {
                return Ok(searched + at + text.len());
            }
            // Later looks need not go over the same bytes again.
            searched = searched.max(state.bytes.len().saturating_sub(text.len()).max(from));
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                let why = if state.ended { "it has ended" } else { "time is up" };
                let last = String::from_utf8_lossy(state.bytes.get(from..).unwrap_or_default());
                return Err(format!(
                    "{why} waiting for {:?}; heard since: {}",
                    String::from_utf8_lossy(text),
                    tail_of(&last, 2000)
                ));
            }
            state = self.shared.grown.wait_timeout(state, left).unwrap().0;
        }
    }
}

fn tail_of(text: &str, max: usize) -> &str {
    let mut begin = text.len().saturating_sub(max);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    &text[begin..]
}
