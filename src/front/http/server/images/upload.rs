//! How files come in: piece by piece, from where the last one ended.

use std::time::Duration;

use axum::body::{Body as Stream, BodyDataStream, HttpBody as _};
use axum::extract::Path;
use axum::{Extension, Json};
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::super::super::{ApiError, Params};
use super::super::{Answer, Asking, Body, By, read};
use super::storing;
use crate::client::ErrorBody;
use crate::model::{UploadInfo, UploadRequest};
use crate::server::Images;

/// Of what comes in vain so many bytes are read, for so long.
const DRAINED: usize = 16 * 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(10);

/// Where a piece belongs, and who sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Piece {
    offset: u64,
    user: Option<String>,
}

/// Begins an upload. When it was begun before, it goes on where it broke off; a file that is here already is
/// done at once.
#[utoipa::path(post, path = "/uploads", request_body = UploadRequest, responses(
    (status = 200, body = UploadInfo),
    (status = 403, body = ErrorBody, description = "it is more than the user may store"),
))]
pub(in super::super) async fn begin(
    Extension(images): Extension<Images>,
    Extension(caller): By,
    body: Body,
) -> Answer<UploadInfo> {
    let new: UploadRequest = read(body, r#"{"size":1048576,"sha256":"9f86…"}"#)?;
    let user = storing(&caller, new.user.clone())?.user;
    Ok(Json(images.begin(new, &user).await?))
}

/// How far an upload is.
#[utoipa::path(get, path = "/uploads/{id}", params(
    ("id" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200, body = UploadInfo),
    (status = 404, body = ErrorBody, description = "no such upload, or somebody else's"),
))]
pub(in super::super) async fn get(
    Extension(images): Extension<Images>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Answer<UploadInfo> {
    let user = storing(&caller, user)?.user;
    Ok(Json(images.upload(&id, &user).await?))
}

/// Sends the next bytes, as many as one likes. With the last of them the file is checked.
#[utoipa::path(patch, path = "/uploads/{id}", params(
    ("id" = String, Path),
    ("offset" = u64, Query, description = "of the first of them: how many are here"),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, body = UploadInfo),
    (status = 404, body = ErrorBody, description = "no such upload, or somebody else's"),
    (status = 409, body = ErrorBody, description = "the offset is not that of the next byte, or somebody else sends \
     just now: ask how far it is, and go on"),
    (status = 413, body = ErrorBody, description = "more bytes than the file was to have"),
    (status = 422, body = ErrorBody, description = "it is another file than was told"),
    (status = 507, body = ErrorBody, description = "there is no room; what came stays"),
))]
pub(in super::super) async fn write(
    Extension(images): Extension<Images>,
    Path(id): Path<String>,
    Params(Piece { offset, user }): Params<Piece>,
    Extension(caller): By,
    body: Stream,
) -> Answer<UploadInfo> {
    let user = storing(&caller, user)?.user;
    let (length, mut pieces) = (body.size_hint().exact(), body.into_data_stream());
    let written = images.write(&id, &user, offset, length, &mut pieces).await;
    if written.is_err() {
        // Who still sends would find the connection gone, and not hear why.
        let _ = tokio::time::timeout(DRAINED_FOR, drain(pieces)).await;
    }
    Ok(Json(written?))
}

async fn drain(mut pieces: BodyDataStream) {
    let mut left = DRAINED;
    while let Some(Ok(piece)) = pieces.next().await
        && left > 0
    {
        left = left.saturating_sub(piece.len());
    }
}

/// Gives up an upload.
#[utoipa::path(delete, path = "/uploads/{id}", params(
    ("id" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200),
    (status = 404, body = ErrorBody, description = "no such upload, or somebody else's"),
))]
pub(in super::super) async fn give_up(
    Extension(images): Extension<Images>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Result<Json<()>, ApiError> {
    let user = storing(&caller, user)?.user;
    Ok(Json(images.give_up(&id, &user).await?))
}
