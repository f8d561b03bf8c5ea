//! Files that are fetched before the action that wants them has its turn, so that those of a block come
//! side by side. Limits, tries, results and their order stay the actions' own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::error::Error;
use crate::image::Got;

/// How many files are fetched ahead at a time.
const AT_A_TIME: usize = 4;

/// What was begun; it ends when this is dropped.
#[derive(Debug)]
pub struct Ahead {
    tasks: TaskTracker,
    turns: Arc<Semaphore>,
    /// By where the file will be.
    begun: BTreeMap<PathBuf, AbortOnDropHandle<Result<Got, Error>>>,
}

impl Default for Ahead {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Self { tasks: TaskTracker::new(), turns, begun: BTreeMap::new() }
    }
}

impl Ahead {
    /// Begins to fetch a file. Of two for the same place only the first is begun.
    pub fn begin(&mut self, file: PathBuf, fetching: BoxFuture<'static, Result<Got, Error>>) {
        if self.begun.contains_key(&file) {
            return;
        }
        let turns = self.turns.clone();
        let task = self.tasks.spawn(async move {
            let _turn = turns.acquire().await;
            fetching.await
        });
        self.begun.insert(file, AbortOnDropHandle::new(task));
    }

    /// What came of fetching a file, if it was begun; waits for its end. Who does not wait so long ends
    /// it.
    ///
    /// # Errors
    /// Why the file could not be had.
    pub async fn end(&mut self, file: &Path) -> Option<Result<Got, Error>> {
        let done = self.begun.remove(file)?.await;
        Some(done.unwrap_or_else(|error| Err(Error::Bug(format!("fetching a file: {error}")))))
    }
}
