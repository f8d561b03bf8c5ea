//! The logs that somebody looks through at the moment. One is read once, however many look.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Server;
use crate::dispatch::execute::LOG;
use crate::dispatch::record::View;

/// The logs that are kept take so much memory together, in bytes; beside it the newest one, however large it is (see
/// [`View`]), and those that are read at the moment. …
const MAX_KEPT: usize = 256 << 20;
/// … They are no more than so many.
const MAX_LOGS: usize = 1000;
/// A log that nobody has looked at for so long is forgotten.
const KEPT: Duration = Duration::from_secs(600);

/// So many logs are read at a time: it takes threads that others need, too.
const AT_ONCE: usize = 4;

/// A log for all who look through it.
#[derive(Debug, Clone)]
pub struct LogView {
    view: Arc<tokio::sync::Mutex<View>>,
    /// How much memory it took when it was read last, in bytes.
    memory: Arc<AtomicUsize>,
    turns: Arc<Semaphore>,
}

/// Those that are looked through, the newest last.
#[derive(Debug)]
pub(super) struct Views {
    kept: Mutex<Vec<Kept>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Kept {
    job: u64,
    board: String,
    view: LogView,
    asked: Instant,
}

impl Default for Views {
    fn default() -> Self {
        Self { kept: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl LogView {
    /// Reads what there is of the log by now, and looks. It takes as long as the file does, and what has begun is done
    /// when nobody waits any more, too. Who waits for a log that somebody else reads has no turn yet: others' logs
    /// are read meanwhile.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut View) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut view = self.view.clone().lock_owned().await;
        let turn = self.turns.clone().acquire_owned().await.map_err(io::Error::other)?;
        let memory = self.memory.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let looked = view.grow().and_then(|()| look(&mut view));
            memory.store(view.memory(), Ordering::Relaxed);
            looked
        });
        read.await.map_err(io::Error::other)?
    }

    fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }
}

impl Server {
    /// The log of a job's board, to be looked through.
    pub fn log_view(&self, job: u64, board: &str) -> LogView {
        let mut kept = self.0.views.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let known = kept.iter().position(|it| it.job == job && it.board == board);
        let mut own = known.map(|at| kept.remove(at)).unwrap_or_else(|| Kept {
            job,
            board: board.to_owned(),
            view: LogView {
                view: Arc::new(View::new(self.log_folder(job, board).join(LOG)).into()),
                memory: Arc::default(),
                turns: self.0.views.turns.clone(),
            },
            asked: now,
        });
        own.asked = now;
        let view = own.view.clone();
        kept.retain(|it| now.duration_since(it.asked) < KEPT);
        let mut room = MAX_KEPT.saturating_sub(view.memory());
        let fits = kept.iter().rev().take(MAX_LOGS - 1).take_while(|it| {
            let needed = it.view.memory();
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        let over = kept.len() - fits.count();
        kept.drain(..over);
        kept.push(own);
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_log_that_is_read_keeps_nobody_from_another() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let log = |name: &str| LogView {
            view: Arc::new(View::new(dir.path().join(name)).into()),
            memory: Arc::default(),
            turns: turns.clone(),
        };
        let (slow, other) = (log("slow"), log("other"));
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let tasks = tokio_util::task::TaskTracker::new();
        let first = slow.clone();
        tasks.spawn(async move {
            let read = first.read(move |_| {
                let _ = begun.send(());
                wait.recv().map_err(io::Error::other)
            });
            read.await.unwrap();
        });
        has_begun.await.unwrap();
        for _ in 0..2 * AT_ONCE {
            let slow = slow.clone();
            tasks.spawn(async move { slow.read(|_| Ok(())).await.unwrap() });
        }
        // They all have asked.
        tokio::task::yield_now().await;
        let limit = Duration::from_secs(30);
        let read = tokio::time::timeout(limit, other.read(|view| Ok(view.len()))).await;
        go_on.send(()).unwrap();
        tasks.close();
        tasks.wait().await;
        assert_eq!(read.expect("it waits for the slow one").unwrap(), 0);
    }
}
