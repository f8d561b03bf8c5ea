//! Failures as HTTP answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::client::{ErrorBody, ErrorText};
use crate::model::{Failure, Kind};

/// A failure with its HTTP status; the body is [`ErrorBody`].
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub failure: Failure,
}

impl ApiError {
    pub fn new(status: StatusCode, failure: Failure) -> Self {
        Self { status, failure }
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
        Self { status, failure }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Failure { kind, message, hint } = self.failure;
        (self.status, Json(ErrorBody { error: ErrorText { kind, message, hint } })).into_response()
    }
}
