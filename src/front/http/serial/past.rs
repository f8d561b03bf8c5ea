//! What a console said before: ranges of its bytes and of its events.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::super::{ApiError, Params};
use super::consoles::Consoles;
use crate::console::{Console, Past, PastError};
use crate::model::{Event, Failure, Kind, Point};

/// The header of a history answer that tells the offset of its first byte.
const OFFSET_HEADER: HeaderName = HeaderName::from_static("x-lava-offset");

/// The header of a history answer that tells the offset behind its last byte: where the range ends, or
/// where the first hole in it begins.
const END_HEADER: HeaderName = HeaderName::from_static("x-lava-end");

/// A range of the past.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// Where it begins: an offset, a time as RFC 3339, an age such as `10m` or `7d`, or a mark:
    /// `reset` or `boot`. The oldest offset that is held when left out.
    from: Option<String>,
    /// Where it ends, in the same words; what is there belongs to it no more. The head when left
    /// out.
    to: Option<String>,
}

#[utoipa::path(get, path = "/consoles/{name}/history", params(("name" = String, Path), Range),
    responses((status = 200, description = "the bytes; x-lava-offset has the first one's offset",
               content_type = "application/octet-stream"),
              (status = 404, description = "no such console, or no such mark on its timeline"),
              (status = 410, description = "not held any more"),
              (status = 416, description = "beyond the head")))]
pub(super) async fn history(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(range): Params<Range>,
) -> Result<impl IntoResponse, ApiError> {
    let console = consoles.find(&name)?;
    let (from, to) = range.points()?;
    let from = match from {
        Some(from) => console.offset_of(from).await?,
        None => console.status().first,
    };
    let to = match to {
        Some(to) => Some(console.offset_of(to).await?),
        None => None,
    };
    let past = console.past(from, to)?;
    let (offset, end) = (past.offset().to_string(), past.end().to_string());
    let bytes = async |mut past: Past| -> std::io::Result<Option<(Bytes, Past)>> {
        let Some(pieces) = past.next().await? else { return Ok(None) };
        let pieces: Vec<Bytes> = pieces.into_iter().map(|piece| piece.bytes).collect();
        Ok(Some((pieces.concat().into(), past)))
    };
    let body = Body::from_stream(futures_util::stream::try_unfold(past, bytes));
    Ok((
        [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (OFFSET_HEADER, offset),
            (END_HEADER, end),
        ],
        body,
    ))
}

#[utoipa::path(get, path = "/consoles/{name}/events", params(("name" = String, Path), Range),
    responses((status = 200, description = "the newest 10,000 events, oldest first"),
              (status = 404, description = "no such console, or no such mark on its timeline")))]
pub(super) async fn events(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(range): Params<Range>,
) -> Result<Json<Vec<Event>>, ApiError> {
    let (from, to) = range.points()?;
    Ok(Json(consoles.find(&name)?.events(from, to).await?))
}

/// The offset of a point that is written in a query.
pub(super) async fn offset_of(console: &Console, key: &str, text: &str) -> Result<u64, ApiError> {
    Ok(console.offset_of(point(key, text)?).await?)
}

impl Range {
    fn points(&self) -> Result<(Option<Point>, Option<Point>), ApiError> {
        let read =
            |key, text: &Option<String>| text.as_deref().map(|text| point(key, text)).transpose();
        Ok((read("from", &self.from)?, read("to", &self.to)?))
    }
}

/// A point that is written in a query.
pub(super) fn point(key: &str, text: &str) -> Result<Point, ApiError> {
    text.parse().map_err(|error| Failure::new(Kind::User, format!("{key}: {error}")).into())
}

impl From<PastError> for ApiError {
    fn from(error: PastError) -> Self {
        let (status, kind) = match error {
            PastError::Gone { .. } => (StatusCode::GONE, Kind::User),
            PastError::Future { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, Kind::User),
            PastError::NoMark { .. } => (StatusCode::NOT_FOUND, Kind::User),
            PastError::Screen { .. } => (StatusCode::BAD_REQUEST, Kind::User),
            PastError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, Kind::Infra),
        };
        Self::new(status, Failure::from_error(kind, &error))
    }
}
