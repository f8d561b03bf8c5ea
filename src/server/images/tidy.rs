//! What goes by itself: images whose time is over, files without a name, uploads that nobody goes on with.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{ImageError, Images};
use crate::model::units::now_us;

/// So often it is looked.
const ROUND: Duration = Duration::from_secs(60);
/// A file is given a name within this time after it came, in microseconds.
const UNNAMED_US: u64 = 3600 * 1_000_000;
/// An upload is gone on with within this time.
const UNFINISHED: Duration = Duration::from_secs(24 * 3600);

impl Images {
    /// Tidies up, until `shutdown`.
    pub async fn tidy(&self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.tidy_once().await {
                tracing::warn!(%error, "the images are not tidied up");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    async fn tidy_once(&self) -> Result<(), ImageError> {
        let now_us = now_us();
        let over = self.0.store.remove_images_until(now_us).await?;
        if over > 0 {
            tracing::info!(images = over, "removed: their time was over");
        }
        // The files before the names: what is given a name meanwhile is not removed.
        let files = self.0.objects.all().await?;
        let images = self.0.store.images().await?;
        let named: HashSet<&str> = images.iter().map(|image| image.sha256.as_str()).collect();
        for (hash, came_us) in files {
            if !named.contains(hash.as_str()) && came_us.saturating_add(UNNAMED_US) < now_us {
                self.0.objects.remove(&hash).await?;
                tracing::info!(sha256 = %hash, "a file that has no name is removed");
            }
        }
        for id in self.open_uploads().await {
            let part = tokio::fs::metadata(self.part(&id)).await.and_then(|part| part.modified());
            let age = part.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
            if age > UNFINISHED && !self.writing().busy.contains(&id) {
                self.drop_upload(&id).await;
            }
        }
        Ok(())
    }
}
