//! What is fetched before the action that wants it has its turn, so that the files and the repositories of a
//! block come side by side. Limits, tries, results and their order stay the actions' own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::error::Error;
use crate::image::Got;

/// How much of a kind is fetched ahead at a time.
const AT_A_TIME: usize = 4;

/// What was begun; it ends when this is dropped.
#[derive(Debug, Default)]
pub struct Ahead {
    pub files: Queue<Got>,
    /// Repositories of test definitions; each gives the revision that it is at, if it has one.
    pub repositories: Queue<Option<String>>,
}

/// What fetches one thing.
pub type Fetching<T> = BoxFuture<'static, Result<T, Error>>;

/// What was begun of one kind.
#[derive(Debug)]
pub struct Queue<T> {
    tasks: TaskTracker,
    turns: Arc<Semaphore>,
    /// By where it will be.
    begun: BTreeMap<PathBuf, AbortOnDropHandle<Result<T, Error>>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Self { tasks: TaskTracker::new(), turns, begun: BTreeMap::new() }
    }
}

impl<T: Send + 'static> Queue<T> {
    /// Begins to fetch something. Of two for the same place only the first is begun.
    pub fn begin(&mut self, (place, fetching): (PathBuf, Fetching<T>)) {
        if self.begun.contains_key(&place) {
            return;
        }
        let turns = self.turns.clone();
        let task = self.tasks.spawn(async move {
            let _turn = turns.acquire().await;
            fetching.await
        });
        self.begun.insert(place, AbortOnDropHandle::new(task));
    }

    /// What came of fetching something; it is fetched now where it was not begun. Who does not wait so long
    /// ends it.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn end(&mut self, (place, fetching): (PathBuf, Fetching<T>)) -> Result<T, Error> {
        let Some(begun) = self.begun.remove(&place) else { return fetching.await };
        begun.await.unwrap_or_else(|error| Err(Error::Bug(format!("fetching: {error}"))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn a_few_at_a_time_are_fetched_whoever_asks_first() {
        let (mut queue, barrier) = (Queue::default(), Arc::new(Barrier::new(AT_A_TIME)));
        let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let one = |number: usize| -> (PathBuf, Fetching<usize>) {
            let (barrier, under_way, most) = (barrier.clone(), under_way.clone(), most.clone());
            let fetching = async move {
                most.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                // Nobody gets on before a full turn of them is here.
                barrier.wait().await;
                under_way.fetch_sub(1, Ordering::Relaxed);
                Ok(number)
            };
            (number.to_string().into(), Box::pin(fetching))
        };
        (0..2 * AT_A_TIME).for_each(|number| queue.begin(one(number)));
        for number in (0..2 * AT_A_TIME).rev() {
            let again: (PathBuf, Fetching<usize>) =
                (number.to_string().into(), Box::pin(async { Err(Error::Bug("again".into())) }));
            assert_eq!(queue.end(again).await, Ok(number));
        }
        assert_eq!(most.load(Ordering::Relaxed), AT_A_TIME);
        let anew: Fetching<usize> = Box::pin(async { Ok(9_usize) });
        assert_eq!(queue.end(("0".into(), anew)).await, Ok(9), "what was taken is fetched anew");
    }
}
