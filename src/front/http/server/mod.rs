//! The HTTP interface of `lava-server`: boards, requests, leases.

mod boards;
mod ci;
mod console;
mod daemons;
mod events;
mod feed;
mod follow;
mod images;
mod jobs;
mod leases;
mod metrics;
mod openapi;
mod requests;
mod rights;
mod seen;
mod standby;
mod ui;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::access::{Access, Caller, Guard, Pages, Who, guard};
use super::{ApiError, refuse_foreign_pages, to_the_end};
use crate::config::AccessConfig;
use crate::front::web;
use crate::model::{Failure, Kind, Name, Refusal, Right, Rights};
use crate::server::{Asker, Basis, Images, JobError, LetIn, RunToken, Server, ServerError};

pub use openapi::openapi;
pub use standby::{Leading, Standby, standby_router};

/// The largest request body, in bytes: a daemon announces all of its consoles in one.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// The longest user name and the longest reason, in bytes: they end up in logs and on screens.
const MAX_USER: usize = 64;
const MAX_REASON: usize = 500;

/// The routes; the document at `/openapi.json` tells what they take and give. What they change is changed on
/// `tasks`.
pub fn router(server: Server, images: Images, doors: Doors, tasks: TaskTracker) -> Router {
    let access = doors.access.clone();
    Router::new()
        .route("/healthz", get(daemons::healthz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(async || Json(openapi())))
        .route("/daemons", get(daemons::list).post(daemons::announce).delete(daemons::forget))
        .route("/consoles", get(daemons::consoles))
        .route("/outlets", get(daemons::outlets))
        .route("/boards", get(boards::list))
        .route("/boards/{name}", get(boards::get).delete(boards::remove))
        .route("/boards/{name}", put(boards::put))
        .route("/boards/{name}/health", post(boards::health))
        .route("/boards/{name}/identity", post(boards::identity))
        .route("/boards/{name}/maintenance", post(boards::maintenance))
        .route("/boards/{name}/history", get(boards::history))
        .route("/boards/{name}/check", post(jobs::check_board))
        .route("/boards/{name}/boot", post(jobs::boot::boot))
        .route("/jobs/{id}/images/{sha256}", get(jobs::boot::image))
        .route("/boards/{name}/console/screen", get(console::screen))
        .route("/boards/{name}/console/attach", get(console::attach))
        .route("/boards/{name}/console/lines", get(console::lines))
        .route("/boards/{name}/console/offset", get(console::offset))
        .route("/boards/{name}/console/events", get(console::events))
        .route("/boards/{name}/console/outlet", get(console::status))
        .route("/boards/{name}/console/outlet/{verb}", post(console::switch))
        .route("/feed", get(feed::feed))
        .route("/jobs", get(jobs::list).post(jobs::submit))
        .route("/jobs/{id}", get(jobs::get))
        .route("/jobs/{id}/definition", get(jobs::definition))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/jobs/{id}/resubmit", post(jobs::resubmit))
        .route("/jobs/{id}/log", get(jobs::log::get))
        .route("/jobs/{id}/log/follow", get(jobs::log::follow))
        .route("/jobs/{id}/log/lines", get(jobs::lines::get))
        .route("/jobs/{id}/results", get(jobs::results::get))
        .route("/ci", get(ci::list))
        .route("/ci/{name}", get(ci::get).put(ci::put).delete(ci::remove))
        .route("/ci/{name}/run", post(ci::run))
        .route("/workers", get(jobs::workers::list))
        .route("/workers/{worker}/poll", post(jobs::workers::poll))
        .route("/workers/{worker}/jobs/{id}/log", post(jobs::workers::log))
        .route("/workers/{worker}/jobs/{id}/end", post(jobs::workers::end))
        .route("/whoami", get(users::whoami))
        .route("/users", get(users::list))
        .route("/users/{user}", put(users::put).delete(users::remove))
        .route("/users/{user}/tokens", post(users::new_token))
        .route("/users/{user}/tokens/{token}", delete(users::remove_token))
        .route("/groups", get(users::groups))
        .route("/groups/{group}", put(users::put_group).delete(users::remove_group))
        .route("/events", get(events::events))
        .route("/requests", get(requests::list).post(requests::submit))
        .route("/requests/{id}", get(requests::get).delete(requests::release))
        .route("/requests/{id}/follow", get(follow::follow))
        .route("/requests/{id}/heartbeat", post(requests::heartbeat))
        .route("/leases", get(leases::list))
        .route("/leases/{id}/extend", post(leases::extend))
        .route("/leases/{id}/share", post(leases::share))
        .route("/leases/{id}/unshare", post(leases::unshare))
        .route("/leases/{id}/give", post(leases::give))
        .route("/images", get(images::list))
        .route("/images/{name}", get(images::get).put(images::put).delete(images::remove))
        .route("/images/{name}/content", get(images::content::read))
        .route("/uploads", post(images::upload::begin))
        .route("/uploads/{id}", get(images::upload::get).patch(images::upload::write))
        .route("/uploads/{id}", delete(images::upload::give_up))
        .fallback(async || {
            ApiError::not_found("there is no such page; GET /openapi.json lists them")
        })
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(tasks.clone(), to_the_end))
        .layer(Extension(follow::Followers::default()))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(
            Guard { access: access.clone(), table: rights::TABLE, thing: "board" },
            guard,
        ))
        .merge(ui::pages(&access))
        .merge(web::beside_pages(access.clone()))
        .layer(Extension(doors))
        .layer(Extension(images))
        .layer(Extension(tasks))
        .layer(Extension(access))
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .with_state(server)
}

/// Who is let in: whom the configuration knows, and the users that the server keeps.
#[derive(Debug, Clone)]
pub struct Doors {
    access: Access,
    /// As it is configured.
    config: AccessConfig,
    /// One looks after the other, so that the newest counts.
    turn: Arc<Mutex<()>>,
}

impl Doors {
    /// `pages` is what the logins of pages are made with.
    pub fn new(config: AccessConfig, pages: Pages) -> Self {
        let access = Access::with_pages(config.clone(), pages);
        Self { access, config, turn: Arc::default() }
    }

    /// Knows from now on of which types boards are: rights may be on all of a type.
    async fn learn(&self, server: &Server) {
        self.access.set_kinds(server.kinds().await);
    }

    /// Lets in who is to be let in now.
    ///
    /// # Errors
    /// When the users cannot be read; nothing is changed then.
    pub async fn refresh(&self, server: &Server) -> Result<AccessConfig, Failure> {
        let _turn = self.turn.lock().await;
        let mut config = self.config.clone();
        let tokens = server.token_users().await?;
        // Where there are users, nobody comes in without a login, even when no token is left.
        if tokens.is_some() && config.local.is_none() {
            config.local = Some(Rights::default());
        }
        config.tokens.extend(tokens.into_iter().flatten());
        let users = server.user_rights().await?;
        for RunToken { token, basis } in server.run_tokens().await {
            if basis == Basis::Given || config.is_open() {
                config.runs.push(token);
                continue;
            }
            // What they can do now; of who is not let in any more it is nothing.
            let now = rights_now(&users, &config, &token.name).filter(|_| basis == Basis::Name);
            if let Some(now) = now {
                config.limits.push((token.hash, now));
                config.runs.push(token);
            }
        }
        self.learn(server).await;
        // What is asked for meanwhile is held to what has changed, too.
        self.access.set(config.clone());
        server.let_in(let_in(&users, &config)).await;
        Ok(config)
    }

    /// Looks whether a caller may begin what goes on in their name when they are gone. What they may then is looked up
    /// here: what another one has said who asks for them is nothing that could be looked up.
    ///
    /// # Errors
    /// 403 when somebody asks for them, and nobody of that name is let in here.
    async fn check_lasting(&self, server: &Server, caller: &Caller) -> Result<(), ApiError> {
        let Who::For { behalf, .. } = caller.who() else { return Ok(()) };
        let known = || async {
            let users = server.user_rights().await?;
            Ok::<_, ServerError>(rights_now(&users, &self.config, &behalf.user).is_some())
        };
        if self.access.is_open() || known().await? {
            return Ok(());
        }
        let user = &behalf.user;
        let what = format!(
            "a run goes on with the rights that its user has then, and the server knows no {user}"
        );
        let failure = Failure::new(Kind::Refused, what).because(Refusal::Rights);
        let failure = failure.hint(format!("lava user add {user} --write 'panda*' says them"));
        Err(ApiError::new(StatusCode::FORBIDDEN, failure))
    }
}

/// What somebody of a name may now, by all that lets them in; `None` when nothing does.
fn rights_now(
    users: &BTreeMap<Name, Rights>,
    config: &AccessConfig,
    name: &Name,
) -> Option<Rights> {
    let (own, others) = (users.get(name).cloned(), config.rights_of(name.as_str()));
    own.into_iter().chain(others).reduce(|all, more| all.and(&more))
}

/// What everybody may who is let in.
fn let_in(users: &BTreeMap<Name, Rights>, config: &AccessConfig) -> LetIn {
    if config.is_open() {
        return LetIn::Everybody;
    }
    let tokens = config.tokens.iter().filter(|user| user.worker.is_none()).map(|user| &user.name);
    let certificates = config.certificates.iter().filter(|user| user.worker.is_none());
    let all = users.keys().chain(tokens).chain(certificates.map(|user| &user.name));
    let rights = |name: &Name| Some((name.clone(), rights_now(users, config, name)?));
    let local = config.local.clone().filter(|rights| !rights.is_empty());
    LetIn::Those { names: all.filter_map(rights).collect(), local }
}

type Answer<T> = Result<Json<T>, ApiError>;
type Body = Result<Bytes, BytesRejection>;
/// Who asks.
type By = Extension<Caller>;

/// What a body says.
///
/// # Errors
/// 400 when it is not understood; `like` shows how to write it.
fn read<T: DeserializeOwned>(body: Body, like: &'static str) -> Result<T, ApiError> {
    let body = body.map_err(|rejection| {
        ApiError::new(rejection.status(), Failure::new(Kind::User, rejection.body_text()))
    })?;
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(bytes).map_err(|error| {
        let what = format!("the body is not understood: {error}");
        Failure::new(Kind::User, what).hint(format!("write it like {like}")).into()
    })
}

/// Who asks, or looks, where nobody logs in: `?user=alice`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    user: Option<String>,
}

/// # Errors
/// 403 to who may not do so much on anything at all.
fn need(caller: &Caller, right: Right) -> Result<(), ApiError> {
    if caller.on_any() >= Some(right) {
        return Ok(());
    }
    let what = format!("for this one needs the right to {right} on some board");
    let failure = Failure::new(Kind::Refused, what).because(Refusal::Rights);
    Err(ApiError::new(StatusCode::FORBIDDEN, failure))
}

/// Who asks, as a lab knows them.
///
/// # Errors
/// 400 when nobody can tell: where nobody logs in, they have to say it.
fn asker(caller: &Caller, said: Option<String>) -> Result<Asker, ApiError> {
    check("user", said.as_deref(), MAX_USER)?;
    let said = said.filter(|said| !said.is_empty());
    let user = caller.name().or(said).ok_or_else(|| {
        let what = "a request is somebody's: whose?";
        Failure::new(Kind::User, what).hint(r#"say who asks: "user": "alice", or ?user=alice"#)
    })?;
    Ok(asking(caller, user))
}

/// Who asks by this name, with what they may.
fn asking(caller: &Caller, user: String) -> Asker {
    let asking = caller.clone();
    let on = Box::new(move |board: &str| asking.on(board));
    let (on_all, rights) = (caller.on_all(), caller.rights());
    let spoken_for = matches!(caller.who(), Who::For { .. });
    Asker { user, on_all, on, rights, basis: caller.basis(), spoken_for, job: caller.job() }
}

/// The same for what anybody may do without a name.
fn whoever(caller: &Caller, said: Option<String>) -> Result<String, ApiError> {
    check("user", said.as_deref(), MAX_USER)?;
    Ok(caller.user(said, || "somebody".into()))
}

/// Refuses a text that would spoil a log or a screen.
fn check(key: &str, text: Option<&str>, most: usize) -> Result<(), ApiError> {
    let text = text.unwrap_or_default();
    let what = if text.len() > most {
        format!("{key} is longer than {most} bytes")
    } else if text.contains(char::is_control) {
        format!("{key} has a control character in it")
    } else {
        return Ok(());
    };
    Err(Failure::new(Kind::User, what).into())
}

async fn wrong_method() -> ApiError {
    let failure = Failure::new(Kind::User, "this page does not take that method")
        .hint("GET /openapi.json lists the pages");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, failure)
}

impl From<ServerError> for ApiError {
    fn from(error: ServerError) -> Self {
        let status = match &error {
            ServerError::NoBoard { .. } | ServerError::NoRequest(_) | ServerError::NoUser(_) => {
                Some(StatusCode::NOT_FOUND)
            }
            ServerError::NotYours { .. }
            | ServerError::NotLeased { .. }
            | ServerError::NotYourPart { .. }
            | ServerError::NoPriority { .. }
            | ServerError::NotForThem { .. }
            | ServerError::NoRights => Some(StatusCode::FORBIDDEN),
            ServerError::Job(JobError::NoJob(_) | JobError::NoCi(_) | JobError::NoLog { .. }) => {
                Some(StatusCode::NOT_FOUND)
            }
            ServerError::Job(
                JobError::NotYours { .. } | JobError::NotYourCi { .. } | JobError::Dictionary(_),
            ) => Some(StatusCode::FORBIDDEN),
            ServerError::NoLease(..) => Some(StatusCode::CONFLICT),
            _ => None,
        };
        let failure = Failure::from(error);
        match status {
            Some(status) => Self::new(status, failure),
            None => failure.into(),
        }
    }
}
