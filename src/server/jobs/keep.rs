//! How long jobs are kept: the oldest of those that have ended go, by their age and by how much room all take. A job's
//! files go with its row, and files that have none for an hour.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::model::units;
use crate::server::clock::Clock;
use crate::server::{Server, ServerError};

/// So often it is looked.
const ROUND: Duration = Duration::from_secs(3600);
/// Files without a job are removed when nobody has touched them for so long.
const NOBODYS: Duration = Duration::from_secs(3600);
/// So many are removed at once.
const AT_ONCE: u32 = 200;

impl Server {
    /// Removes jobs that are kept no longer, until `shutdown`.
    pub async fn tidy_jobs(&self, shutdown: CancellationToken) {
        let (keep, size) = (self.0.config.keep, self.0.config.keep_size);
        let mut clock = Clock::new("no job is too old", units::now_us(), Instant::now());
        loop {
            let right = clock.is_right(units::now_us(), Instant::now());
            let keep = if right { keep } else { Duration::ZERO };
            if let Err(error) = self.tidy_jobs_once(keep, size).await {
                tracing::warn!("jobs are not tidied up: {error}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    pub(super) async fn tidy_jobs_once(
        &self,
        keep: Duration,
        most: u64,
    ) -> Result<(), ServerError> {
        let keep_us = keep.as_micros() as u64;
        if keep_us > 0 {
            let before_us = units::now_us().saturating_sub(keep_us);
            loop {
                let old = self.0.store.jobs_ended_before(before_us, AT_ONCE).await?;
                if old.is_empty() {
                    break;
                }
                self.remove_jobs(&old).await?;
            }
        }
        let dir = self.0.logs.dir().to_owned();
        let folders = tokio::task::spawn_blocking(move || folders(&dir)).await;
        // What has a row now had one when it was looked for its files; a new one is none of these.
        let kept: HashSet<u64> = self.0.store.job_numbers().await?.into_iter().collect();
        let (folders, orphans): (BTreeMap<u64, Folder>, BTreeMap<u64, Folder>) =
            folders.unwrap_or_default().into_iter().partition(|(id, _)| kept.contains(id));
        let orphans = orphans.into_iter().filter(|(_, folder)| folder.idle > NOBODYS);
        self.remove_files(orphans.map(|(id, _)| id).collect()).await;
        let mut all: u64 = folders.values().map(|folder| folder.bytes).sum();
        if most == 0 || all <= most {
            return Ok(());
        }
        // Neither those that run nor the last one.
        let ended = self.0.store.jobs_ended_before(u64::MAX, u32::MAX).await?;
        let mut too_many = Vec::new();
        for id in ended {
            if all <= most {
                break;
            }
            if let Some(folder) = folders.get(&id) {
                all = all.saturating_sub(folder.bytes);
                too_many.push(id);
            }
        }
        for some in too_many.chunks(AT_ONCE as usize) {
            self.remove_jobs(some).await?;
        }
        Ok(())
    }

    async fn remove_jobs(&self, jobs: &[u64]) -> Result<(), ServerError> {
        self.0.store.remove_jobs(jobs).await?;
        self.remove_files(jobs.to_vec()).await;
        tracing::info!(jobs = jobs.len(), first = jobs.first(), "removed: they are kept no longer");
        Ok(())
    }

    /// What cannot be removed now is tried again in the next round.
    async fn remove_files(&self, jobs: Vec<u64>) {
        let dirs: Vec<PathBuf> = jobs.iter().map(|id| self.0.logs.of_job(*id)).collect();
        let removed = tokio::task::spawn_blocking(move || {
            for dir in dirs {
                match std::fs::remove_dir_all(&dir) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!("{}: {error}", dir.display());
                    }
                    _ => {}
                }
            }
        });
        let _ = removed.await;
    }
}

/// The files of a job.
#[derive(Debug)]
struct Folder {
    bytes: u64,
    /// So long nothing was added to it.
    idle: Duration,
}

/// The folders of jobs.
fn folders(dir: &Path) -> BTreeMap<u64, Folder> {
    let all = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let jobs = all.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let changed = entry.metadata().and_then(|meta| meta.modified()).ok()?;
        let idle = changed.elapsed().unwrap_or_default();
        Some((id, Folder { bytes: bytes(&entry.path()), idle }))
    });
    jobs.collect()
}

fn bytes(dir: &Path) -> u64 {
    let all = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = all.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
