//! Removals that have begun. One that takes too long may still happen later: until then nobody stores that file anew,
//! or gives it a name, for it would be gone soon after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::ImageError;
use crate::model::Sha256;
use crate::store::ObjectsError;

/// What a removal that has failed has asked of an object store may be done for so long after it: the answer was lost.
const DOUBT: Duration = Duration::from_secs(120);

/// The files that are being removed, and where that has failed until when it may still happen.
#[derive(Debug, Default)]
pub(super) struct Removals {
    open: Arc<Mutex<HashMap<Sha256, Option<Instant>>>>,
    tasks: TaskTracker,
}

impl Removals {
    /// Carries out a removal, and waits so long for it. It goes on when nobody waits any more.
    ///
    /// # Errors
    /// Why it has failed; [`ImageError::Slow`] when it goes on, and [`ImageError::Removing`] when another one does.
    pub(super) async fn carry_out(
        &self,
        hash: &Sha256,
        limit: Duration,
        removal: impl Future<Output = Result<(), ObjectsError>> + Send + 'static,
    ) -> Result<(), ImageError> {
        let doubt = match self.open().insert(hash.clone(), None) {
            Some(None) => return Err(ImageError::Removing(hash.clone())),
            doubt => doubt.flatten(),
        };
        let (open, file) = (self.open.clone(), hash.clone());
        let removal = self.tasks.spawn(async move {
            let removed = removal.await;
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            let doubt = if removed.is_err() { Some(Instant::now() + DOUBT) } else { doubt };
            match doubt {
                None => drop(open.remove(&file)),
                doubt => drop(open.insert(file, doubt)),
            }
            removed
        });
        match timeout(limit, removal).await {
            Ok(Ok(removed)) => Ok(removed?),
            // It did not come to its end; what it was for is tried again.
            Ok(Err(_)) | Err(_) => Err(ImageError::Slow { what: hash.to_string(), limit }),
        }
    }

    /// # Errors
    /// [`ImageError::Removing`] while a file may be removed by what has begun.
    pub(super) fn check(&self, hash: &Sha256, now: Instant) -> Result<(), ImageError> {
        let mut open = self.open();
        open.retain(|_, until| until.is_none_or(|until| until > now));
        match open.contains_key(hash) {
            true => Err(ImageError::Removing(hash.clone())),
            false => Ok(()),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Sha256, Option<Instant>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_whose_removal_goes_on_is_nobodys_until_it_is_over() {
        let (removals, file) = (Removals::default(), Sha256::of(&[7; 32]));
        let now = Instant::now();
        let (end, over) = tokio::sync::oneshot::channel::<Result<(), ObjectsError>>();
        let slow = removals.carry_out(&file, Duration::ZERO, async { over.await.unwrap() });
        assert!(matches!(slow.await, Err(ImageError::Slow { .. })));
        assert!(matches!(removals.check(&file, now), Err(ImageError::Removing(_))));
        assert!(removals.check(&Sha256::of(&[8; 32]), now).is_ok());
        let again = removals.carry_out(&file, Duration::ZERO, async { Ok(()) }).await;
        assert!(matches!(again, Err(ImageError::Removing(_))), "one at a time");
        end.send(Ok(())).unwrap();
        removals.tasks.close();
        removals.tasks.wait().await;
        assert!(removals.check(&file, now).is_ok());
    }

    #[tokio::test]
    async fn what_a_failed_removal_has_asked_for_may_come_later() {
        let (removals, file) = (Removals::default(), Sha256::of(&[7; 32]));
        let failed = || Err(ObjectsError::Url("nowhere".into()));
        let limit = Duration::from_secs(30);
        assert!(removals.carry_out(&file, limit, async move { failed() }).await.is_err());
        let now = Instant::now();
        assert!(removals.check(&file, now).is_err());
        assert!(
            removals.carry_out(&file, limit, async { Ok(()) }).await.is_ok(),
            "it is tried again"
        );
        assert!(removals.check(&file, now).is_err(), "the first one may be on its way still");
        assert!(removals.check(&file, Instant::now() + DOUBT).is_ok());
    }
}
