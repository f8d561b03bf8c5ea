//! What is in an image, whole or in part.

use axum::Extension;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::super::ApiError;
use super::super::By;
use super::need;
use super::range::{Asked, range};
use crate::client::ErrorBody;
use crate::model::{Right, Sha256};
use crate::server::Images;

/// What is in an image, by its name or its SHA-256. `Repr-Digest` (RFC 9530) is the hash of all of it, and so is
/// `ETag`. If what is stored is damaged, the last of it does not come.
#[utoipa::path(get, path = "/images/{name}/content", params(
    ("name" = String, Path, description = "its name, or the SHA-256 of the file"),
    ("Range" = Option<String>, Header, description = "bytes=FIRST-LAST, bytes=FIRST- or bytes=-LAST_ONES"),
), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "If-None-Match has its ETag"),
    (status = 404, body = ErrorBody, description = "no such image"),
    (status = 416, description = "the range is behind the end"),
))]
pub(in super::super) async fn read(
    Extension(images): Extension<Images>,
    Path(name): Path<String>,
    Extension(caller): By,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    need(&caller, Right::See)?;
    respond(&images, &name, &headers).await
}

/// What is in an image, or the part that is asked for.
pub(in super::super) async fn respond(
    images: &Images,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let (sha256, size) = images.find(name).await?;
    let tag = format!("\"sha256:{sha256}\"");
    let is = |header, tag: &str| headers.get(header).is_some_and(|value| value == tag);
    if is(IF_NONE_MATCH, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    // A part of another version is of no use.
    let wanted =
        headers.get(RANGE).filter(|_| !headers.contains_key(IF_RANGE) || is(IF_RANGE, &tag));
    let (status, part) = match range(wanted.and_then(|value| value.to_str().ok()), size) {
        Asked::All => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Nothing => {
            let length = [(CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, length).into_response());
        }
    };
    let digest = digest(&sha256);
    let content = images.read(sha256, size, part.clone()).await?;
    let mut response = (
        status,
        [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_LENGTH, (part.end - part.start).to_string()),
            (ACCEPT_RANGES, "bytes".to_owned()),
            (ETAG, tag),
        ],
        Body::from_stream(content.pieces),
    )
        .into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&digest).ok().map(|value| (REPR_DIGEST, value)));
    if status == StatusCode::PARTIAL_CONTENT {
        let told = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        headers.extend(HeaderValue::from_str(&told).ok().map(|value| (CONTENT_RANGE, value)));
    }
    Ok(response)
}

const REPR_DIGEST: axum::http::HeaderName = axum::http::HeaderName::from_static("repr-digest");

/// A hash as RFC 9530 writes it.
fn digest(sha256: &Sha256) -> String {
    let digits = sha256.as_str().as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16);
    let bytes: Vec<u8> = digits.map(|pair| byte(pair).unwrap_or_default()).collect();
    format!("sha-256=:{}:", STANDARD.encode(bytes))
}
