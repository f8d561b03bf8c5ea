//! `GET /events`: what changes in the lab, live, as far as one may see it.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONNECTION;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{ApiError, Ending, Place};
use super::follow::{Follower, Followers};
use super::jobs::looker;
use super::seen::sees_request;
use super::{By, Caller};
use crate::model::{JobState, LabEvent, Right, units};
use crate::server::{JobStanding, Overview, Server};

/// Changes are told so often at most: what has changed twice meanwhile is told once.
const AT_MOST_EVERY: Duration = Duration::from_millis(200);
/// So often it says something at least.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

struct Following {
    server: Server,
    caller: Caller,
    changes: watch::Receiver<u64>,
    ending: CancellationToken,
    looked: Instant,
    last: Arc<Overview>,
    to_tell: VecDeque<LabEvent>,
    _follower: Follower,
}

/// What becomes of boards, requests, jobs and daemons from now on, as server-sent events: what it is about, and the word for
/// how it is now. What there is at the beginning is had from the lists, asked for once this has answered.
#[utoipa::path(get, path = "/events", responses(
    (status = 200, body = LabEvent, content_type = "text/event-stream"),
))]
pub(super) async fn events(
    State(server): State<Server>,
    Extension(caller): By,
    Extension(Ending(ending)): Extension<Ending>,
    (Extension(place), Extension(followers)): (Extension<Place>, Extension<Followers>),
) -> Result<impl IntoResponse, ApiError> {
    let _follower = followers.one_more(&caller.name().unwrap_or_default())?;
    place.leave();
    let changes = server.changes();
    let last = server.overview().await;
    let (looked, to_tell) = (Instant::now(), VecDeque::new());
    let following = Following { server, caller, changes, ending, looked, last, to_tell, _follower };
    let stream = futures_util::stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    let stream = Sse::new(stream).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE));
    Ok(([(CONNECTION, "close")], stream))
}

impl Following {
    /// The next change; `None` when the server ends, or the caller is not let in any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.to_tell.pop_front() {
                return Event::default().json_data(&event).ok();
            }
            tokio::select! {
                () = self.ending.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
                // A token may have ended.
                () = tokio::time::sleep(SIGN_OF_LIFE) => {}
            }
            tokio::time::sleep_until(self.looked + AT_MOST_EVERY).await;
            self.caller.on_any()?;
            self.changes.borrow_and_update();
            self.looked = Instant::now();
            let now = self.server.overview().await;
            let last = std::mem::replace(&mut self.last, now);
            self.compare(&last);
            self.compare_jobs(&last).await;
        }
    }

    fn compare(&mut self, last: &Overview) {
        let (now, caller) = (self.last.clone(), &self.caller);
        let time_us = units::now_us();
        let told = |about: &str, id: String, what: &str| {
            let (about, what) = (about.to_owned(), what.to_owned());
            LabEvent { time_us, about, id, what, health: None, boot: None }
        };
        for (name, what) in changed(&last.boards, &now.boards) {
            if caller.may(Right::See, name.as_str()) {
                let word = what.map_or("removed", |board| board.word);
                self.to_tell.push_back(told("board", name.to_string(), word));
            }
        }
        for (id, request) in changed(&last.requests, &now.requests) {
            let of = request.or_else(|| last.requests.get(id));
            if of.is_some_and(|it| sees_request(caller, it.holders.iter(), &it.boards)) {
                let what = request.map_or("ended", |request| request.state);
                self.to_tell.push_back(told("request", id.to_string(), what));
            }
        }
        if caller.on_all() >= Some(Right::See) {
            for (url, what) in changed(&last.daemons, &now.daemons) {
                self.to_tell.push_back(told("daemon", url.clone(), what.unwrap_or(&"forgotten")));
            }
        }
    }
}

/// What there is of jobs: see [`Following::compare`].
impl Following {
    async fn compare_jobs(&mut self, last: &Overview) {
        let now = self.last.clone();
        let Ok(asker) = looker(&self.caller, None) else { return };
        let told: Vec<(&u64, Option<&Arc<JobStanding>>)> = changed(&last.jobs, &now.jobs).collect();
        let for_groups = told.iter().any(|(_, job)| job.is_some_and(|job| job.is_for_groups()));
        let groups = match for_groups {
            true => self.server.groups_of(&asker.user).await.unwrap_or_default(),
            false => Vec::new(),
        };
        // What has ended is not told again when it is not looked at any more.
        for (id, job) in told.into_iter().filter_map(|(id, job)| Some((id, job?))) {
            let theirs = std::iter::once(&job.user);
            if !job.may_be_seen(&asker, &groups) || !sees_request(&self.caller, theirs, &job.boards)
            {
                continue;
            }
            let ended = job.state == JobState::Finished;
            self.to_tell.push_back(LabEvent {
                time_us: units::now_us(),
                about: "job".to_owned(),
                id: id.to_string(),
                what: job.state.as_str().to_owned(),
                health: ended.then(|| job.health.as_str().to_owned()),
                boot: job.boot,
            });
        }
    }
}

/// What is another one than it was, or new, or gone.
fn changed<'a, K: Ord, V: PartialEq>(
    last: &'a BTreeMap<K, V>,
    now: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>)> {
    let other = now.iter().filter(move |(key, value)| last.get(*key) != Some(*value));
    let gone = last.keys().filter(move |key| !now.contains_key(*key));
    other.map(|(key, value)| (key, Some(value))).chain(gone.map(|key| (key, None)))
}
