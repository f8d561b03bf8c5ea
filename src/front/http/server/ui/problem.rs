//! What cannot be shown, as a page.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::super::super::ApiError;
use crate::client::ErrorBody;
use crate::front::web;
use crate::model::Failure;

/// The longest refusal that is read, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Problem(ApiError);

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    status: u16,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<E: Into<ApiError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(ApiError { status, failure, .. }) = self;
        page(status, &failure)
    }
}

fn page(status: StatusCode, failure: &Failure) -> Response {
    let (message, hint) = (failure.message.as_str(), failure.hint.as_deref());
    let page = ProblemPage { status: status.as_u16(), message, hint };
    let mut response = web::made(page.render().unwrap_or_else(|_| message.to_owned()));
    *response.status_mut() = status;
    response
}

/// Whether an answer is a page already.
pub(super) fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// What the guard has refused.
pub(super) async fn of_refusal(status: StatusCode, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_REFUSAL).await.unwrap_or_default();
    let Ok(ErrorBody { error }) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, body.into());
    };
    let mut response = page(status, &error.into());
    // Whoever was refused ends with it.
    if let Some(end) = parts.headers.get(CONNECTION) {
        response.headers_mut().insert(CONNECTION, end.clone());
    }
    response
}
