//! The logs that somebody looks through at the moment. One is read once, however many look.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Server;
use crate::dispatch::execute::LOG;
use crate::dispatch::record::{MAX_LINES, View};

/// So many lines are kept of all logs together, 12 bytes each.
const MAX_KEPT: usize = 2 * MAX_LINES;
/// A log that nobody has looked at for so long is forgotten.
const KEPT: Duration = Duration::from_secs(600);

/// So many logs are read at a time: it takes threads that others need, too.
const AT_ONCE: usize = 4;

/// A log for all who look through it.
#[derive(Debug, Clone)]
pub struct LogView {
    view: Arc<Mutex<View>>,
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
    /// Reads what there is of the log by now, and looks. It takes as long as the file does, and is done when nobody waits
    /// any more, too.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut View) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.turns.clone().acquire_owned().await.map_err(io::Error::other)?;
        let view = self.view.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
            view.grow()?;
            look(&mut view)
        });
        read.await.map_err(io::Error::other)?
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
                view: Arc::new(Mutex::new(View::new(self.log_folder(job, board).join(LOG)))),
                turns: self.0.views.turns.clone(),
            },
            asked: now,
        });
        own.asked = now;
        let view = own.view.clone();
        kept.retain(|it| now.duration_since(it.asked) < KEPT);
        // One that is being read is as large as it was.
        let lines = |it: &Kept| it.view.view.try_lock().map_or(0, |view| view.len());
        let mut room = MAX_KEPT.saturating_sub(lines(&own));
        let fits = kept.iter().rev().take_while(|it| {
            let needed = lines(it);
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
