//! Requests that are carried out to their end.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio_util::task::TaskTracker;

use super::ApiError;
use crate::model::{Failure, Kind};

/// Carries out what changes something on `tasks`, whether or not its client waits for the answer: the handler
/// of one that hangs up is dropped where it stands, with what is in the database and what is in memory apart.
pub(super) async fn to_the_end(
    State(tasks): State<TaskTracker>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let done = tasks.spawn(next.run(request)).await;
    done.unwrap_or_else(|error| {
        ApiError::from(Failure::new(Kind::Bug, error.to_string())).into_response()
    })
}
