//! `GET /requests/{id}/follow`: a request's place in the queue, live.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{ApiError, Ending, Params};
use super::requests::{Asking, look, number};
use super::{By, Caller, asker};
use crate::client::ErrorBody;
use crate::model::{RequestInfo, RequestState};
use crate::server::{Asker, Server};

/// Where a request stands is looked at so often at most, however much happens, …
const AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// … and so often at least: what it has waited counts.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);

struct Following {
    server: Server,
    id: u64,
    /// What they may see is looked at each time: a token may end meanwhile.
    caller: Caller,
    /// Its holder is heard of as long as they follow it.
    holder: Option<Asker>,
    changes: watch::Receiver<u64>,
    ending: CancellationToken,
    looked: Option<Instant>,
    told: Option<RequestInfo>,
}

/// Each change of a request until it has ended, as server-sent events: `data` is what `GET /requests/{id}`
/// gives. Its holder is heard of while they follow it.
#[utoipa::path(get, path = "/requests/{id}/follow", params(
    ("id" = u64, Path),
    ("user" = Option<String>, Query, description = "who follows, where nobody logs in"),
), responses(
    (status = 200, body = RequestInfo, content_type = "text/event-stream"),
    (status = 404, body = ErrorBody, description = "there never was one"),
))]
pub(super) async fn follow(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
    Extension(Ending(ending)): Extension<Ending>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let id = number(&id)?;
    let holder = asker(&caller, user).ok();
    look(&server, id, holder.as_ref(), &caller).await?;
    let changes = server.changes();
    let following =
        Following { server, id, caller, holder, changes, ending, looked: None, told: None };
    let stream = futures_util::stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(AT_LEAST_EVERY)))
}

impl Following {
    /// The next change; `None` when there will be none.
    async fn next(&mut self) -> Option<Event> {
        if self.told.as_ref().is_some_and(|told| told.state == RequestState::Ended) {
            return None;
        }
        loop {
            if let Some(looked) = self.looked {
                tokio::select! {
                    () = self.ending.cancelled() => return None,
                    _ = self.changes.changed() => {}
                    () = tokio::time::sleep_until(looked + AT_LEAST_EVERY) => {}
                }
                tokio::time::sleep_until(looked + AT_MOST_EVERY).await;
            }
            self.changes.borrow_and_update();
            self.looked = Some(Instant::now());
            self.caller.on_any()?;
            let now = look(&self.server, self.id, self.holder.as_ref(), &self.caller).await.ok()?;
            if self.told.as_ref() != Some(&now) {
                let event = Event::default().json_data(&now).ok()?;
                self.told = Some(now);
                return Some(event);
            }
        }
    }
}
