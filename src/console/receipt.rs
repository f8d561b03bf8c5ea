//! What becomes of something that is on its way to the port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The half that goes with it, held by whoever brings it to the port.
#[derive(Debug, Clone)]
pub(super) struct Receipt(Arc<Shared>);

/// The half of whoever waits for it. Dropping it calls back what has not reached the port.
#[derive(Debug)]
pub(super) struct Awaited {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
}

#[derive(Debug)]
struct Shared {
    called_back: AtomicBool,
    progress: watch::Sender<Progress>,
}

/// How far it has come. A byte counts as one, and so does a break or a pause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: usize,
    /// Will never be done.
    pub(super) dropped: usize,
    /// Why, where the port said so.
    pub(super) reason: Option<String>,
}

/// Both halves.
pub(super) fn receipt() -> (Receipt, Awaited) {
    let sender = watch::Sender::default();
    let progress = sender.subscribe();
    let shared = Arc::new(Shared { called_back: AtomicBool::new(false), progress: sender });
    (Receipt(shared.clone()), Awaited { shared, progress })
}

impl Receipt {
    pub(super) fn is_called_back(&self) -> bool {
        self.0.called_back.load(Ordering::Relaxed)
    }

    pub(super) fn done(&self, count: usize) {
        self.0.progress.send_modify(|progress| progress.done += count);
    }

    pub(super) fn dropped(&self, count: usize) {
        self.0.progress.send_modify(|progress| progress.dropped += count);
    }

    /// The port cannot do it: the rest is called back.
    pub(super) fn refused(&self, reason: String) {
        self.0.called_back.store(true, Ordering::Relaxed);
        self.0.progress.send_modify(|progress| progress.reason = Some(reason));
    }
}

impl Awaited {
    pub(super) fn call_back(&self) {
        self.shared.called_back.store(true, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until at least `count` of it are done or dropped. Cancel safe.
    pub(super) async fn settled(&mut self, count: usize) -> Progress {
        let settled = self.progress.wait_for(|now| now.done + now.dropped >= count).await;
        // The sender lives in `shared`, as long as this does.
        settled.map(|now| now.clone()).unwrap_or_default()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.call_back();
    }
}
