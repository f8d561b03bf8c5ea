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
use crate::capture::Piece;
use crate::console::{Console, Past, PastError};
use crate::model::{Event, Failure, Kind, Point, Right, What};

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

/// A range of the past, and in which form it is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Where it begins; see there.
    from: Option<String>,
    /// Where it ends.
    to: Option<String>,
    /// `bytes` (the default), up to the first hole; or `frames`, all that is held: each piece
    /// with its length (u32 big-endian, of what follows), offset and time (u64 big-endian, in
    /// microseconds since the Unix epoch).
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Format {
    #[default]
    Bytes,
    Frames,
}

/// Where a point is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct At {
    /// A time as RFC 3339, an age such as `10m` or `7d`, a mark (`reset`, `boot`), or an offset.
    point: String,
}

#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Place {
    offset: u64,
}

#[utoipa::path(get, path = "/consoles/{name}/history", params(("name" = String, Path), Wanted),
    responses((status = 200, description = "the bytes; x-lava-offset has the first one's offset",
               content_type = "application/octet-stream"),
              (status = 404, description = "no such console, or no such mark on its timeline"),
              (status = 410, description = "not held any more"),
              (status = 416, description = "beyond the head")))]
pub(super) async fn history(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<impl IntoResponse, ApiError> {
    let console = consoles.find(&name)?;
    let from = match &wanted.from {
        Some(from) => offset_of(&console, "from", from).await?,
        None => console.status().first,
    };
    let to = match &wanted.to {
        Some(to) => Some(offset_of(&console, "to", to).await?),
        None => None,
    };
    let past = match wanted.format {
        Format::Bytes => console.past(from, to)?,
        Format::Frames => console.held(from, to),
    };
    let (offset, end) = (past.offset().to_string(), past.end().to_string());
    let next = move |mut past: Past| async move {
        let pieces = past.next().await?;
        std::io::Result::Ok(pieces.map(|pieces| (encoded(&pieces, wanted.format), past)))
    };
    let body = Body::from_stream(futures_util::stream::try_unfold(past, next));
    Ok((
        [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (OFFSET_HEADER, offset),
            (END_HEADER, end),
        ],
        body,
    ))
}

fn encoded(pieces: &[Piece], format: Format) -> Bytes {
    let mut text = Vec::new();
    for piece in pieces {
        match format {
            Format::Bytes => text.extend_from_slice(&piece.bytes),
            Format::Frames => piece.encode_into(&mut text),
        }
    }
    text.into()
}

#[utoipa::path(get, path = "/consoles/{name}/offset", params(("name" = String, Path), At),
    responses((status = 200, description = "the offset of the point", body = Place),
              (status = 404, description = "no such console, or no such mark on its timeline")))]
pub(super) async fn offset(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(at): Params<At>,
) -> Result<Json<Place>, ApiError> {
    let offset = offset_of(&*consoles.find(&name)?, "point", &at.point).await?;
    Ok(Json(Place { offset }))
}

#[utoipa::path(get, path = "/consoles/{name}/events", params(("name" = String, Path), Range),
    responses((status = 200, description = "the newest 10,000 events, oldest first; what was typed is \
                                            among them for those who have the right to write"),
              (status = 404, description = "no such console, or no such mark on its timeline")))]
pub(super) async fn events(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(range): Params<Range>,
) -> Result<Json<Vec<Event>>, ApiError> {
    let (from, to) = range.points()?;
    let console = consoles.find(&name)?;
    // Passwords are typed, too: what others have typed is for those who may type themselves.
    let typed = consoles.caller().may(Right::Write, &name);
    let wanted = move |event: &Event| typed || !matches!(event.what, What::Input { .. });
    Ok(Json(console.events(from, to, wanted).await?))
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
