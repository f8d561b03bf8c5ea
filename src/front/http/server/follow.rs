//! `GET /requests/{id}/follow`: a request's place in the queue, live.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{ApiError, Ending, Params, Place};
use super::requests::{look, number};
use super::{Asking, By, Caller, asker};
use crate::client::ErrorBody;
use crate::model::{Failure, Kind, RequestInfo, RequestState};
use crate::server::{Asker, Server};

/// Where a request stands is looked at so often at most, however much happens, …
const AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// … and so often at least: what it has waited counts.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// So many may follow at a time, …
const MAX_FOLLOWERS: usize = 16 * 1024;
/// … and so many of one user.
const MAX_OF_USER: usize = 2048;

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
    _follower: Follower,
}

/// Who follows requests, jobs or the lab, by user: they take no connection's place from others, and have a bound of their own.
#[derive(Debug, Clone, Default)]
pub(in crate::front::http) struct Followers(Arc<Mutex<HashMap<String, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(in crate::front::http) struct Follower {
    user: String,
    all: Followers,
}

impl Followers {
    /// # Errors
    /// 429 when there are too many.
    pub(in crate::front::http) fn one_more(&self, user: &str) -> Result<Follower, ApiError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, theirs) = (all.values().sum::<usize>(), all.get(user).copied().unwrap_or(0));
        if count >= MAX_FOLLOWERS || theirs >= MAX_OF_USER {
            let what = format!("{count} follow what changes, {theirs} of them as {user:?}");
            let hint = format!("{MAX_FOLLOWERS} may, and {MAX_OF_USER} of each user");
            let failure = Failure::new(Kind::Refused, what).hint(hint);
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, failure).retry_after(5));
        }
        all.insert(user.to_owned(), theirs + 1);
        Ok(Follower { user: user.to_owned(), all: self.clone() })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.user);
            }
        }
    }
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
    (Extension(place), Extension(followers)): (Extension<Place>, Extension<Followers>),
) -> Result<impl IntoResponse, ApiError> {
    let id = number(&id)?;
    let holder = asker(&caller, user).ok();
    look(&server, id, holder.as_ref(), &caller).await?;
    let follower = followers.one_more(holder.as_ref().map_or("", |asker| &asker.user))?;
    place.leave();
    let changes = server.changes();
    let (looked, told) = (None, None);
    let following = Following {
        server,
        id,
        caller,
        holder,
        changes,
        ending,
        looked,
        told,
        _follower: follower,
    };
    let stream = futures_util::stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    // Its connection has no place for another request.
    let close = [(CONNECTION, "close")];
    Ok((close, Sse::new(stream).keep_alive(KeepAlive::new().interval(AT_LEAST_EVERY))))
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
