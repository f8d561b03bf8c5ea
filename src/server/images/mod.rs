//! The image store: files by what is in them, names for them, and when they go.
//!
//! A file is uploaded first (`upload.rs`) and then given a name; several names may be one file. What has no
//! name any more goes some time later (`tidy.rs`). None of it needs the lab's lock.

mod content;
mod error;
mod grace;
mod parts;
mod place;
mod quota;
mod removal;
#[cfg(test)]
mod tests;
mod tidy;
mod upload;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::StreamExt as _;
use serde_json::json;

use crate::config::server::ImagesConfig;
use crate::image::qcow2::{self, Disk};
use crate::model::units::now_us;
use crate::model::{Failure, ImageInfo, Kind, Name, NewImage, NewVm, Right, Sha256, VmImage};
use crate::store::{ImageRow, Objects, Store};

pub use content::Content;
pub use error::ImageError;

use super::Asker;
use content::Damaged;
use grace::Grace;
use removal::Removals;

/// The image store of a lab.
#[derive(Debug, Clone)]
pub struct Images(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    objects: Objects,
    /// Where files are that have not come whole.
    uploads: PathBuf,
    config: ImagesConfig,
    writing: Mutex<Writing>,
    /// Shut while names are given and files removed. Behind it is since when files have had none, …
    gate: tokio::sync::Mutex<Grace>,
    /// … and since when what was left half done has not changed.
    left: tokio::sync::Mutex<Grace>,
    /// The files whose removal has begun, and may still happen.
    removals: Removals,
    /// The files that are stored anew when somebody brings them.
    damaged: Damaged,
}

/// The uploads that are under way in this process.
#[derive(Debug, Default)]
struct Writing {
    /// Somebody writes these now.
    busy: HashSet<String>,
    /// What has come of them, and its hash so far.
    hashes: HashMap<String, (u64, sha2::Sha256)>,
}

impl Images {
    /// # Errors
    /// [`Kind::Infra`] or [`Kind::Config`] when the place of the files cannot be had.
    pub fn open(store: Store, config: ImagesConfig) -> Result<Self, Failure> {
        let objects = Objects::open(&config.place)?;
        let uploads = config.uploads.clone();
        std::fs::create_dir_all(&uploads).map_err(|error| {
            Failure::new(Kind::Infra, format!("{}: {error}", uploads.display()))
        })?;
        let (writing, gate, left) = (Mutex::default(), Default::default(), Default::default());
        let (removals, damaged) = (Removals::default(), Damaged::default());
        let inner =
            Inner { store, objects, uploads, config, writing, gate, left, removals, damaged };
        Ok(Self(Arc::new(inner)))
    }

    /// All that have a name.
    ///
    /// # Errors
    /// When the store does not answer. So for all that is asked here.
    pub async fn list(&self) -> Result<Vec<ImageInfo>, ImageError> {
        let images = self.0.store.images().await?.into_iter().map(info);
        // One that cannot be read hides no other.
        let told = |error: &ImageError| tracing::error!(%error, "it is not listed");
        Ok(images.filter_map(|image| image.inspect_err(told).ok()).collect())
    }

    /// # Errors
    /// [`ImageError::NoImage`].
    pub async fn get(&self, name: &str) -> Result<ImageInfo, ImageError> {
        let row = self.0.store.image(name).await?;
        info(row.ok_or_else(|| ImageError::NoImage(name.to_owned()))?)
    }

    /// Gives a file a name, or the name to another file.
    ///
    /// # Errors
    /// When the name is somebody else's, the file is not here, or the user would have too much.
    pub async fn put(
        &self,
        name: Name,
        new: NewImage,
        asker: &Asker,
    ) -> Result<ImageInfo, ImageError> {
        if name.as_str().parse::<Sha256>().is_ok() {
            return Err(ImageError::LikeHash(name.to_string()));
        }
        // From here on the file stays, and the name is nobody else's.
        let mut gate = self.0.gate.lock().await;
        self.0.removals.check(&new.sha256, Instant::now())?;
        let size = self.0.objects.size(&new.sha256).await?;
        let size = size.ok_or_else(|| ImageError::NotHere(new.sha256.clone()))?;
        let before = self.0.store.image(name.as_str()).await?;
        self.check_owner(before.as_ref(), asker)?;
        let file = (&new.sha256, size);
        self.check_quota(&mut gate, &asker.user, file, Some(name.as_str())).await?;
        let vm = match (&new.vm, before) {
            (Some(said), _) => json!(self.disk(&name, said, file).await?).to_string(),
            // The same file stays what it is: its name is only kept for longer, or has another note.
            (None, Some(before)) if before.sha256 == new.sha256.as_str() => before.vm,
            (None, _) => String::new(),
        };
        let made_us = now_us();
        let keep_s = new.keep_s.unwrap_or(self.0.config.keep.as_secs());
        let until_us = match keep_s {
            0 => 0,
            seconds => made_us.saturating_add(seconds.saturating_mul(1_000_000)),
        };
        let NewImage { sha256, note, .. } = new;
        let row = ImageRow {
            name: name.to_string(),
            sha256: sha256.to_string(),
            size,
            user: asker.user.clone(),
            note,
            made_us,
            until_us,
            vm,
        };
        self.0.store.put_image(&row).await?;
        gate.renew(&row.sha256);
        info(row)
    }

    /// Takes a name away.
    ///
    /// # Errors
    /// When there is none, or it is somebody else's.
    pub async fn remove(&self, name: &str, asker: &Asker) -> Result<(), ImageError> {
        let mut gate = self.0.gate.lock().await;
        let row = self.0.store.image(name).await?;
        let row = row.ok_or_else(|| ImageError::NoImage(name.to_owned()))?;
        self.check_owner(Some(&row), asker)?;
        self.0.store.remove_image(name).await?;
        // It has the whole time from the end of its last name on.
        gate.renew(&row.sha256);
        Ok(())
    }

    /// What is known of the disk of a virtual machine, from who stores it and from what is in it.
    async fn disk(
        &self,
        name: &Name,
        said: &NewVm,
        (sha256, size): (&Sha256, u64),
    ) -> Result<VmImage, ImageError> {
        let mut pieces = self.0.objects.read(sha256, 0..size.min(qcow2::HEAD as u64)).await?;
        let mut head = Vec::new();
        while let Some(piece) = pieces.next().await.transpose()? {
            head.extend_from_slice(&piece);
        }
        let disk = Disk::read(&head)
            .map_err(|error| ImageError::NoDisk { name: name.to_string(), error })?;
        Ok(VmImage { arch: said.arch, memory_mib: said.memory_mib, disk: disk.size })
    }

    fn check_owner(&self, image: Option<&ImageRow>, asker: &Asker) -> Result<(), ImageError> {
        let others = image.filter(|row| row.user != asker.user);
        match others.filter(|_| asker.on_all < Some(Right::Control)) {
            Some(ImageRow { name, user, .. }) => {
                Err(ImageError::NotYours { name: name.clone(), user: user.clone() })
            }
            None => Ok(()),
        }
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn info(row: ImageRow) -> Result<ImageInfo, ImageError> {
    let ImageRow { name, sha256, size, user, note, made_us, until_us, vm } = row;
    let damaged = || ImageError::Damaged(name.clone());
    Ok(ImageInfo {
        sha256: sha256.parse().map_err(|_| damaged())?,
        name: name.parse().map_err(|_| damaged())?,
        size,
        user,
        note,
        made_us,
        until_us: Some(until_us).filter(|until| *until > 0),
        vm: Some(vm)
            .filter(|vm| !vm.is_empty())
            .map(|vm| serde_json::from_str(&vm))
            .transpose()
            .map_err(|_| damaged())?,
    })
}
