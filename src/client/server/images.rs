//! The image store of a lab's server.

use std::time::Duration;

use serde::de::IgnoredAny;

use super::{LabServer, by};
use crate::client::{Body, percent_encoded};
use crate::model::{Failure, ImageInfo, Name, NewImage, UploadInfo, UploadRequest};

/// The last piece of a large file is answered when all of it is stored.
const STORED: Duration = Duration::from_secs(600);

impl LabServer {
    pub async fn images(&self) -> Result<Vec<ImageInfo>, Failure> {
        self.http.get("/images").await
    }

    pub async fn image(&self, name: &str) -> Result<ImageInfo, Failure> {
        self.http.get(&format!("/images/{}", percent_encoded(name))).await
    }

    /// Gives a stored file a name.
    pub async fn put_image(&self, name: &Name, new: &NewImage) -> Result<ImageInfo, Failure> {
        self.http.put(&format!("/images/{name}"), new).await
    }

    pub async fn remove_image(&self, name: &str, user: &str) -> Result<(), Failure> {
        let path = by(&format!("/images/{}", percent_encoded(name)), user);
        self.http.delete::<IgnoredAny>(&path).await.map(|_| ())
    }

    /// What is in an image.
    pub async fn image_content(&self, name: &str) -> Result<Body, Failure> {
        self.http.body(&format!("/images/{}/content", percent_encoded(name))).await
    }

    /// Begins an upload, or finds out how far it is.
    pub async fn upload(&self, new: &UploadRequest) -> Result<UploadInfo, Failure> {
        self.http.post("/uploads", new).await
    }

    /// Sends the next bytes of an upload.
    pub async fn upload_piece(
        &self,
        upload: &UploadInfo,
        piece: Vec<u8>,
        user: &str,
    ) -> Result<UploadInfo, Failure> {
        let UploadInfo { id, offset, .. } = upload;
        let path = format!("{}&offset={offset}", by(&format!("/uploads/{id}"), user));
        self.http.clone().with_timeout(STORED).patch(&path, piece).await
    }
}
