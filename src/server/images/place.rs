//! All servers of a database see the same files: the database has what their place is marked with.

use sha2::Digest as _;

use super::{ImageError, Images, Inner};
use crate::config::server::ImagesConfig;
use crate::model::Sha256;
use crate::model::units::now_us;
use crate::store::{Objects, Store};

impl Images {
    /// Makes sure that the files are where all servers of the database have them, for one that has the database. The
    /// first one marks the place.
    ///
    /// # Errors
    /// [`ImageError::Elsewhere`], with what to do.
    pub async fn check_place(&self) -> Result<(), ImageError> {
        let Inner { store, objects, config, .. } = &*self.0;
        let (known, found) = (store.place_mark().await?, objects.mark().await?);
        if let Some(known) = known {
            return same(&known, found.as_deref(), &config.place);
        }
        let mark = match found {
            Some(mark) => mark,
            None => {
                let mark = new_mark(&config.place);
                objects.put_mark(&mark).await?;
                mark
            }
        };
        Ok(store.put_place_mark(&mark).await?)
    }

    /// The same, for one that stands by: what another server has said of the database at `url` is only looked at.
    ///
    /// # Errors
    /// As [`Self::check_place`].
    pub async fn check_place_of(url: &str, config: &ImagesConfig) -> Result<(), ImageError> {
        let Some(known) = Store::place_mark_of(url).await else { return Ok(()) };
        let found = Objects::open(&config.place)?.mark().await?;
        same(&known, found.as_deref(), &config.place)
    }
}

fn same(known: &str, found: Option<&str>, place: &str) -> Result<(), ImageError> {
    if found == Some(known) {
        return Ok(());
    }
    let told = found.map_or_else(|| "is not marked".into(), |found| format!("is marked {found:?}"));
    Err(ImageError::Elsewhere(format!(
        "the images of this database are in the place marked {known:?}, and {place} {told}: all servers of one \
         database need the same files. Give all of them one [images] place: an s3://BUCKET, or a folder that they \
         share; if it is the right one, moved or made anew, write {known} into its file lava-images.id"
    )))
}

/// One that no other place has.
fn new_mark(place: &str) -> String {
    let about = format!("{place} {} {}", now_us(), std::process::id());
    Sha256::of(&sha2::Sha256::digest(about).into()).as_str()[..32].to_owned()
}
