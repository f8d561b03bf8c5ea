//! What goes by itself: images whose time is over, files without a name, uploads that nobody goes on with, and
//! what a server that was killed has left.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::grace::Grace;
use super::parts::Upload;
use super::{ImageError, Images};
use crate::model::Sha256;
use crate::model::units::now_us;
use crate::server::clock::Clock;
use crate::store::FileRow;

/// So often it is looked.
const ROUND: Duration = Duration::from_secs(60);
/// … and so often, in rounds, which files there are: an object store takes money for that.
const LIST_EVERY: u64 = 60;
/// A file is given a name within this time after it came, or after its last name has gone.
pub(super) const UNNAMED: Duration = Duration::from_secs(3600);
/// What was left half done is not changed for so long.
const LEFT: Duration = Duration::from_secs(3600);
/// An upload is gone on with within this time.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);
/// How long a removal may take: the next server may have the lab not much later.
const REMOVAL: Duration = Duration::from_secs(4);

impl Images {
    /// Tidies up, until `shutdown`.
    pub async fn tidy(&self, shutdown: CancellationToken) {
        let mut clock = Clock::new("no image's time is over", now_us(), Instant::now());
        for number in 0.. {
            let round = async {
                if number % LIST_EVERY == 0 {
                    tell(self.find_files().await, "not all files are known");
                }
                self.tidy_round(&mut clock, now_us(), Instant::now()).await;
                tokio::time::sleep(ROUND).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = round => {}
            }
        }
    }

    /// Looks once; what does not work holds up nothing else.
    pub(super) async fn tidy_round(&self, clock: &mut Clock, now_us: u64, now: Instant) {
        let right = clock.is_right(now_us, now);
        if right {
            tell(self.end_images(now_us).await, "images whose time is over stay");
        }
        tell(self.tidy_uploads(right, now).await, "uploads are not tidied up");
        tell(self.tidy_files(now).await, "files without a name stay");
        tell(self.tidy_leftovers(now).await, "what was left half done stays");
    }

    async fn end_images(&self, now_us: u64) -> Result<(), ImageError> {
        let _gate = self.0.gate.lock().await;
        let over = self.0.store.remove_images_until(now_us).await?;
        if over > 0 {
            tracing::info!(images = over, "removed: their time was over");
        }
        Ok(())
    }

    /// Removes files that have had no name for some time.
    async fn tidy_files(&self, now: Instant) -> Result<(), ImageError> {
        let files = self.0.store.files().await?;
        let coming: HashSet<Sha256> =
            self.uploads().await.into_iter().map(|upload| upload.info.sha256).collect();
        for FileRow { sha256, .. } in &files {
            let Ok(hash) = sha256.parse::<Sha256>() else { continue };
            // It is being named, or not at all any more.
            let mut gate = self.0.gate.lock().await;
            if coming.contains(&hash) || self.0.store.is_named(sha256).await? {
                gate.renew(sha256);
            } else if gate.is_over(sha256, UNNAMED, now) {
                match self.remove_file(&mut gate, &hash).await {
                    Ok(()) => tracing::info!(sha256, "a file that has no name is removed"),
                    Err(error) => tracing::warn!(sha256, %error, "it has no name, and stays"),
                }
            }
        }
        Ok(())
    }

    /// Removes a file. The gate is shut, so that it is not given a name meanwhile; one whose removal takes longer than
    /// that is nobody's until it is over.
    pub(super) async fn remove_file(
        &self,
        gate: &mut Grace,
        hash: &Sha256,
    ) -> Result<(), ImageError> {
        self.0.store.check_trust()?;
        let (objects, file) = (self.0.objects.clone(), hash.clone());
        let removal = async move { objects.remove(&file).await };
        self.0.removals.carry_out(hash, REMOVAL, removal).await?;
        self.0.damaged.forget(hash);
        self.0.store.remove_file(hash.as_str()).await?;
        gate.renew(hash.as_str());
        Ok(())
    }

    /// Files that are there and not known are nobody's, and known from now on.
    async fn find_files(&self) -> Result<(), ImageError> {
        let there = self.0.objects.all().await?;
        let known = self.0.store.files().await?;
        let known: HashSet<&str> = known.iter().map(|file| file.sha256.as_str()).collect();
        for (hash, size) in there.iter().filter(|(hash, _)| !known.contains(hash.as_str())) {
            let _gate = self.0.gate.lock().await;
            self.0
                .store
                .add_file(&FileRow { sha256: hash.to_string(), size: *size, user: String::new() })
                .await?;
        }
        Ok(())
    }

    /// Drops uploads that nobody has gone on with, if the clock can be believed, and those that are only half there.
    async fn tidy_uploads(&self, right: bool, now: Instant) -> Result<(), ImageError> {
        let whole = self.uploads().await;
        for Upload { info, user, age } in &whole {
            if right
                && *age > UNFINISHED
                && let Ok(_turn) = self.turn(&info.id)
            {
                tracing::info!(user, "an upload that nobody goes on with is removed");
                self.drop_upload(&info.id).await;
            }
        }
        let whole: HashSet<&str> = whole.iter().map(|upload| upload.info.id.as_str()).collect();
        let mut left = self.0.left.lock().await;
        for id in self.upload_ids().await {
            if whole.contains(id.as_str()) {
                left.renew(&id);
            } else if left.is_over(&id, LEFT, now)
                && let Ok(_turn) = self.turn(&id)
            {
                self.drop_upload(&id).await;
                left.renew(&id);
            }
        }
        Ok(())
    }

    /// Removes what a put that was cut off has left in the folder of the files.
    async fn tidy_leftovers(&self, now: Instant) -> Result<(), ImageError> {
        let leftovers = self.0.objects.leftovers().await?;
        let mut left = self.0.left.lock().await;
        // One that still grows is another one at each look.
        let named =
            |(file, length): &(std::path::PathBuf, u64)| format!("{length} {}", file.display());
        for leftover in &leftovers {
            if left.is_over(&named(leftover), LEFT, now) {
                self.0.store.check_trust()?;
                tell(
                    self.0.objects.remove_leftover(&leftover.0).await.map_err(ImageError::from),
                    "it stays",
                );
            }
        }
        let there: HashSet<String> = leftovers.iter().map(named).collect();
        left.retain(|what| !what.contains('/') || there.contains(what));
        Ok(())
    }
}

fn tell(done: Result<(), ImageError>, what: &str) {
    if let Err(error) = done {
        tracing::warn!(%error, "{what}");
    }
}
