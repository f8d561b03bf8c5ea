//! Booting a board that one has leased.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::super::{ApiError, Params};
use super::super::images::content::respond;
use super::super::{Answer, Body, By, asker, check, read};
use super::{none, number};
use crate::client::ErrorBody;
use crate::model::{
    BootRequest, Failure, IMAGE_PASS, IMAGE_SCHEME, ImageInfo, JobInfo, Kind, Sha256,
};
use crate::server::boot::{BootFile, Source};
use crate::server::{Images, Server};

/// No name, URL or option is longer than this, in bytes.
const MAX_TEXT: usize = 4096;

/// Has a board boot something for who has leased it. The answer is the job that does it, within the lease: its `boot`
/// says how far it is, in `GET /jobs/{id}`, and its log says the rest. When it is ready the board stays on.
#[utoipa::path(post, path = "/boards/{name}/boot", params(("name" = String, Path)),
    request_body = BootRequest, responses(
    (status = 200, body = JobInfo),
    (status = 400, body = ErrorBody, description = "its dictionary has no way for that"),
    (status = 404, body = ErrorBody, description = "no such board, or no such image"),
    (status = 409, body = ErrorBody, description = "the board is not the caller's, or is being booted"),
))]
pub(in crate::front::http::server) async fn boot(
    State(server): State<Server>,
    Extension(images): Extension<Images>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    let mut asked: BootRequest = read(body, r#"{"image":"linux-next","ramdisk":"rootfs"}"#)?;
    let asker = asker(&caller, asked.user.take())?;
    let BootRequest { image, ramdisk, dtb, commands, append, prompts, login, ssh_key, .. } = &asked;
    let texts = [Some(image), ramdisk.as_ref(), dtb.as_ref(), commands.as_ref(), append.as_ref()];
    let texts = texts.into_iter().chain([login.as_ref(), ssh_key.as_ref()]).flatten();
    for text in texts.chain(prompts) {
        check("a text", Some(text.trim_end()), MAX_TEXT)?;
    }
    let mut files = Vec::new();
    let parts = [("image", Some(image)), ("ramdisk", ramdisk.as_ref()), ("dtb", dtb.as_ref())];
    for (part, what) in parts.into_iter().filter_map(|(part, what)| Some((part, what?))) {
        let (source, image) = source(&images, what).await?;
        files.push(BootFile { part, source, image });
    }
    Ok(Json(server.boot_board(&name, &asked, &files, &asker).await?))
}

/// An image, as `NAME` or as jobs name it, with what its name says of it; or a URL that is no file of the worker's.
async fn source(images: &Images, what: &str) -> Result<(Source, Option<ImageInfo>), ApiError> {
    let what = what.strip_prefix(IMAGE_SCHEME).unwrap_or(what);
    match what.split_once("://") {
        None => {
            let (sha256, _) = images.find(what).await?;
            // Of a file that is asked for by its hash nothing else is known.
            let image = images.get(what).await.ok().filter(|image| image.sha256 == sha256);
            Ok((Source::Stored(sha256), image))
        }
        Some(("http" | "https", _)) => Ok((Source::Url(what.to_owned()), None)),
        Some((scheme, _)) => {
            let what = format!("{scheme}:// is got for nobody: an image, http:// or https://");
            let hint = "lava image put FILE stores one";
            Err(Failure::new(Kind::User, what).hint(hint).into())
        }
    }
}

/// What lets one in, for who shows it in a URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::front::http::server) struct Shown {
    pass: Option<String>,
}

/// A file of the image store for a job that has not ended. The header `x-lava-pass`, or `pass`, has what it was given.
#[utoipa::path(get, path = "/jobs/{id}/images/{sha256}", params(
    ("id" = u64, Path),
    ("sha256" = String, Path),
    ("x-lava-pass" = Option<String>, Header),
    ("pass" = Option<String>, Query),
), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, body = ErrorBody, description = "no such job, not of it, or another pass"),
))]
pub(in crate::front::http::server) async fn image(
    State(server): State<Server>,
    Extension(images): Extension<Images>,
    Path((id, sha256)): Path<(String, String)>,
    Params(Shown { pass }): Params<Shown>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let header = headers.get(IMAGE_PASS).and_then(|pass| pass.to_str().ok());
    let pass = header.or(pass.as_deref()).unwrap_or_default();
    let file: Sha256 = sha256.parse().map_err(|_| none(&id))?;
    if !server.may_fetch(number(&id)?, &file, pass).await {
        return Err(none(&id));
    }
    respond(&images, file.as_str(), &headers).await
}
