//! Failures for clients that read no JSON: as text, and in the status line, which is all that some
//! libraries show.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hyper::ext::ReasonPhrase;

/// The longest reason in a status line, in bytes.
const MAX_REASON: usize = 200;

/// An answer that says in one line what failed.
pub(super) fn failed(status: StatusCode, text: &str) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    let reason: String =
        text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
    let reason = &reason[..reason.len().min(MAX_REASON)];
    if let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}
