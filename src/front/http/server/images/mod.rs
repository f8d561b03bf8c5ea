//! The image store by HTTP: names here, what is in the files in `content.rs`, how they come in `upload.rs`.

pub(super) mod content;
mod range;
pub(super) mod upload;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::super::access::Caller;
use super::super::{ApiError, Params};
use super::{Answer, Asking, Body, By, MAX_REASON, asker, check, need, read};
use crate::client::ErrorBody;
use crate::model::{Failure, ImageInfo, Kind, Name, NewImage, Right};
use crate::server::{Asker, ImageError, Images};

/// Who stores: images are for all who may look at some board, and are stored by those who may have one.
fn storing(caller: &Caller, said: Option<String>) -> Result<Asker, ApiError> {
    need(caller, Right::Write)?;
    asker(caller, said)
}

/// All images.
#[utoipa::path(get, path = "/images", responses((status = 200, body = Vec<ImageInfo>)))]
pub(super) async fn list(
    Extension(images): Extension<Images>,
    Extension(caller): By,
) -> Answer<Vec<ImageInfo>> {
    need(&caller, Right::See)?;
    Ok(Json(images.list().await?))
}

/// One image.
#[utoipa::path(get, path = "/images/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = ImageInfo),
    (status = 404, body = ErrorBody, description = "no such image"),
))]
pub(super) async fn get(
    Extension(images): Extension<Images>,
    Path(name): Path<String>,
    Extension(caller): By,
) -> Answer<ImageInfo> {
    need(&caller, Right::See)?;
    Ok(Json(images.get(&name).await?))
}

/// Gives a file that was uploaded a name, or the name to another file.
#[utoipa::path(put, path = "/images/{name}", params(("name" = String, Path)),
    request_body = NewImage, responses(
    (status = 200, body = ImageInfo),
    (status = 403, body = ErrorBody, description = "the name is somebody else's, or it is too much"),
    (status = 404, body = ErrorBody, description = "the file is not here: upload it first"),
))]
pub(super) async fn put(
    Extension(images): Extension<Images>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<ImageInfo> {
    let new: NewImage = read(body, r#"{"sha256":"9f86…","keep_s":1209600,"note":"nightly"}"#)?;
    check("note", Some(&new.note), MAX_REASON)?;
    let asker = storing(&caller, new.user.clone())?;
    let name: Name = name.parse().map_err(|error| Failure::from_error(Kind::User, &error))?;
    Ok(Json(images.put(name, new, &asker).await?))
}

/// Takes a name away. The file goes some time after its last name.
#[utoipa::path(delete, path = "/images/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "no such image"),
))]
pub(super) async fn remove(
    Extension(images): Extension<Images>,
    Path(name): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Answer<()> {
    let asker = storing(&caller, user)?;
    Ok(Json(images.remove(&name, &asker).await?))
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        let status = match &error {
            ImageError::NoImage(_) | ImageError::NoUpload(_) | ImageError::NotHere(_) => {
                Some(StatusCode::NOT_FOUND)
            }
            ImageError::NotYours { .. } | ImageError::Quota { .. } | ImageError::TooMany { .. } => {
                Some(StatusCode::FORBIDDEN)
            }
            error if error.is_full() => Some(StatusCode::INSUFFICIENT_STORAGE),
            ImageError::Offset(_) | ImageError::Busy | ImageError::Removing(_) => {
                Some(StatusCode::CONFLICT)
            }
            ImageError::TooLong(_) => Some(StatusCode::PAYLOAD_TOO_LARGE),
            ImageError::Differs { .. } => Some(StatusCode::UNPROCESSABLE_ENTITY),
            _ => None,
        };
        let failure = Failure::from(error);
        match status {
            Some(status) => Self::new(status, failure),
            None => failure.into(),
        }
    }
}
