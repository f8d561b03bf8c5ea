//! Images of the store in job definitions: `lava-image:NAME` stands where a URL does. Its worker has no right to look at
//! images, so the job gets a pass: who shows it gets those files, as long as the job lives. It stands in the URLs, for a
//! board may ask for them, too; the dispatcher shows it in a header, and masks it in what it logs.

use serde::{Deserialize, Serialize};

use super::boot::new_pass;
use super::{JobError, Record};
use crate::model::{IMAGE_SCHEME, Sha256, image_url};
use crate::server::{Server, ServerError};

/// What a job takes from the image store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) pass: String,
    pub(super) files: Vec<Sha256>,
}

impl Server {
    /// A definition as it is tried out, before there is a job: with URLs in place of images.
    ///
    /// # Errors
    /// When there is no such image.
    pub(super) async fn with_urls(&self, definition: &str) -> Result<String, ServerError> {
        Ok(self.named(definition, 0, "").await?.0)
    }

    /// The definition of a job, with URLs in place of images, which it can get from now on.
    ///
    /// # Errors
    /// As [`Self::with_urls`]; when the store cannot be written.
    pub(super) async fn with_images(
        &self,
        job: &Record,
        definition: String,
    ) -> Result<String, ServerError> {
        if !definition.contains(IMAGE_SCHEME) {
            return Ok(definition);
        }
        let id = job.info.id;
        let known = job.stored.as_ref().map(|stored| Ok(stored.pass.clone()));
        let pass = known.unwrap_or_else(new_pass)?;
        let (definition, files) = self.named(&definition, id, &pass).await?;
        let mut state = self.0.state.lock().await;
        let mut record = state.jobs.live.get(&id).ok_or(JobError::NoJob(id))?.clone();
        record.stored = Some(Stored { pass, files });
        self.put_job(&mut state, record).await?;
        Ok(definition)
    }

    async fn named(
        &self,
        definition: &str,
        id: u64,
        pass: &str,
    ) -> Result<(String, Vec<Sha256>), ServerError> {
        let (mut text, mut files, mut rest) = (String::new(), Vec::new(), definition);
        while let Some((before, after)) = rest.split_once(IMAGE_SCHEME) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
            let name = &after[..end];
            let image = self.0.store.image(name).await?;
            let file = image.and_then(|image| image.sha256.parse::<Sha256>().ok());
            let file = file.ok_or_else(|| {
                ServerError::Wrong(format!(
                    "{IMAGE_SCHEME}{name}: there is no such image (lava image list)"
                ))
            })?;
            text += before;
            text += &image_url(id, &file, pass);
            files.push(file);
            rest = &after[end..];
        }
        text += rest;
        Ok((text, files))
    }
}
