//! Failures as HTTP answers.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

use crate::client::{ErrorBody, ErrorText};
use crate::model::{Failure, Kind};

/// A failure with its HTTP status; the body is [`ErrorBody`].
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub failure: Failure,
    /// Of bytes that were to be sent: how many were.
    sent: Option<u64>,
    /// In how many seconds it may be tried again.
    retry_after: Option<u64>,
}

impl ApiError {
    pub fn new(status: StatusCode, failure: Failure) -> Self {
        Self { status, failure, sent: None, retry_after: None }
    }

    /// Tells how many of the bytes were sent that were to be.
    pub fn sent(self, bytes: u64) -> Self {
        Self { sent: Some(bytes), ..self }
    }

    /// Tells how many were sent as another failure does.
    pub fn sent_as(self, other: &Self) -> Self {
        Self { sent: other.sent, ..self }
    }

    /// Tells in how many seconds it may be tried again.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// 404: there is no such console, outlet or page.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Failure::new(Kind::User, message))
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            Kind::User | Kind::Config => StatusCode::BAD_REQUEST,
            Kind::Refused => StatusCode::CONFLICT,
            Kind::Failed | Kind::Lab => StatusCode::BAD_GATEWAY,
            Kind::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Infra | Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, failure)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorText { sent: self.sent, ..self.failure.into() };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
