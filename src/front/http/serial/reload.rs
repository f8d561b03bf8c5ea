//! `POST /reload`: reads the configuration again.

use std::fmt;

use axum::{Extension, Json};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use super::super::ApiError;
use crate::model::{Failure, Kind};

/// Where the outcome of a reload goes.
type Answer = oneshot::Sender<Result<Changes, Failure>>;

/// Asks the daemon to read its configuration again.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<Answer>);

/// What a reload has changed: names of consoles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Changes {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    /// How many consoles are as they were, and did not notice.
    pub unchanged: usize,
}

impl Changes {
    /// Whether everything is as it was.
    pub fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Reload {
    pub fn new(requests: mpsc::Sender<Answer>) -> Self {
        Self(requests)
    }
}

#[utoipa::path(post, path = "/reload",
    responses((status = 200, description = "it is served now", body = Changes),
              (status = 400, description = "nothing is changed; all that is wrong with it")))]
pub(super) async fn reload(
    Extension(Reload(requests)): Extension<Reload>,
) -> Result<Json<Changes>, ApiError> {
    let gone = || Failure::new(Kind::Interrupted, "the daemon is shutting down");
    let (answer, answered) = oneshot::channel();
    requests.send(answer).await.map_err(|_| gone())?;
    Ok(Json(answered.await.map_err(|_| gone())??))
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        for (what, names) in told.iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "{what} {}; ", names.join(", "))?;
        }
        write!(f, "{} unchanged", self.unchanged)
    }
}
