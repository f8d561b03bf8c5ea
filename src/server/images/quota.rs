//! What a user has in the store, and whether there may be more.

use std::collections::HashMap;

use super::grace::Grace;
use super::{ImageError, Images};
use crate::model::Sha256;

/// A file takes at least so many bytes, however small it is.
const LEAST: u64 = 4096;
/// So many files may a user have that have no name or have not come whole.
const MOST_UNNAMED: usize = 256;

/// A user's files, each once: what they take, in bytes.
struct Has {
    named: HashMap<String, u64>,
    unnamed: HashMap<String, u64>,
    /// What will come of uploads that are under way.
    coming: HashMap<String, u64>,
}

impl Has {
    fn bytes(&self) -> u64 {
        let all = [&self.named, &self.unnamed, &self.coming];
        all.iter().flat_map(|files| files.values()).fold(0, |all, size| all.saturating_add(*size))
    }
}

impl Images {
    /// Whether a user may have a file of so many bytes, too, when a name of theirs is given to it. Their own files
    /// that have no name make room. The gate stays shut until it is written down that they have it.
    pub(super) async fn check_quota(
        &self,
        gate: &mut Grace,
        user: &str,
        (sha256, size): (&Sha256, u64),
        name: Option<&str>,
    ) -> Result<(), ImageError> {
        let mut has = self.what_has(user, sha256, name).await?;
        let open = has.unnamed.len() + has.coming.len();
        if name.is_none() && open >= MOST_UNNAMED {
            return Err(ImageError::TooMany { user: user.to_owned(), open });
        }
        let Some(quota) = self.0.config.quota else { return Ok(()) };
        let more = size.max(LEAST);
        while has.bytes().saturating_add(more) > quota {
            let Some(spare) = has.unnamed.keys().next().cloned() else {
                let (user, used) = (user.to_owned(), has.bytes());
                return Err(ImageError::Quota { user, used, more: size, quota });
            };
            has.unnamed.remove(&spare);
            if let Ok(hash) = spare.parse() {
                tracing::info!(user, sha256 = spare, "it has no name, and makes room");
                self.remove_file(gate, &hash).await?;
            }
        }
        Ok(())
    }

    /// What a user has but for one file, and for one name.
    async fn what_has(
        &self,
        user: &str,
        but: &Sha256,
        name: Option<&str>,
    ) -> Result<Has, ImageError> {
        let images = self.0.store.images().await?;
        let names = images.iter().filter(|image| image.user == user && Some(&*image.name) != name);
        let mut named: HashMap<_, _> =
            names.map(|image| (image.sha256.clone(), image.size.max(LEAST))).collect();
        let files = self.0.store.files().await?;
        let unnamed = files.into_iter().filter(|file| {
            // What somebody else has given a name to is theirs.
            file.user == user && !images.iter().any(|image| image.sha256 == file.sha256)
        });
        let mut unnamed: HashMap<_, _> =
            unnamed.map(|file| (file.sha256, file.size.max(LEAST))).collect();
        let coming = self.uploads().await.into_iter().filter(|upload| upload.user == user);
        let coming = coming.map(|upload| (upload.info.sha256.into(), upload.info.size.max(LEAST)));
        let mut coming: HashMap<String, u64> = coming.collect();
        unnamed.retain(|file, _| !coming.contains_key(file));
        for files in [&mut named, &mut unnamed, &mut coming] {
            files.remove(but.as_str());
        }
        Ok(Has { named, unnamed, coming })
    }
}
