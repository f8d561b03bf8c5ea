//! A board's console and outlet, for who reaches only the server: pages. What is asked is asked of the daemons, on
//! behalf of who has logged in, so that they say no, too.

use std::collections::HashMap;

use axum::Extension;
use axum::Json;
use axum::body::Body as Sent;
use axum::extract::{FromRequestParts, Path, RawQuery, Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use super::super::access::missing;
use super::super::{ApiError, Ending, Peer};
use super::{Body, By, Caller, MAX_REASON, MAX_USER, check, read};
use crate::client::{ErrorBody, Resource, outlet, tunnel};
use crate::model::{
    Behalf, DaemonKind, Failure, Kind, Name, PowerRequest, Refusal, Report, Right, Rights, Verb,
};
use crate::server::Server;

/// What is to be done, and by whom.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Who asks, where nobody logs in.
    user: Option<String>,
    reason: Option<String>,
    /// Also when somebody else holds the board. Needs a reason, and control.
    #[serde(default)]
    force: bool,
    /// As `lava-serial` takes it from its own pages; not used.
    #[serde(default, rename = "session")]
    _session: Option<u64>,
}

/// Who speaks with a console through us, and until when.
pub(super) struct Through {
    question: Question,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl FromRequestParts<Server> for Through {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        type All = (Question, Extension<Ending>, Extension<TaskTracker>);
        let (question, Extension(Ending(ending)), Extension(tasks)) =
            All::from_request_parts(parts, server).await?;
        Ok(Self { question, ending, tasks })
    }
}

/// The screen of a board's console: a WebSocket as `lava-serial` has it at `/consoles/{name}/screen`.
#[utoipa::path(get, path = "/boards/{name}/console/screen", params(("name" = String, Path)), responses(
    (status = 101, description = "a WebSocket"),
    (status = 404, body = ErrorBody, description = "no such board, or it has no console"),
    (status = 502, body = ErrorBody, description = "lava-serial does not answer"),
))]
pub(super) async fn screen(through: Through, request: Request) -> Result<Response, ApiError> {
    through.carry("screen", request).await
}

/// A board's console for programs: a WebSocket as `lava-serial` has it at `/consoles/{name}/attach`.
#[utoipa::path(get, path = "/boards/{name}/console/attach", params(("name" = String, Path)), responses(
    (status = 101, description = "a WebSocket"),
    (status = 404, body = ErrorBody, description = "no such board, or it has no console"),
    (status = 502, body = ErrorBody, description = "lava-serial does not answer"),
))]
pub(super) async fn attach(through: Through, request: Request) -> Result<Response, ApiError> {
    through.carry("attach", request).await
}

impl Through {
    /// Carries a WebSocket to a board's console, on behalf of the caller, until their rights change.
    async fn carry(self, what: &str, mut request: Request) -> Result<Response, ApiError> {
        let Self { question, ending, tasks } = self;
        let console = question.part(DaemonKind::Serial).await?;
        let Question { name, query, caller, .. } = question;
        let mut headers = HeaderMap::new();
        for header in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION] {
            if let Some(value) = request.headers().get(&header) {
                headers.insert(header, value.clone());
            }
        }
        let path = format!("/{what}?{}", query.unwrap_or_default());
        let mut daemon = tunnel::open(&console, &path, headers).await.map_err(answered)?;
        let mut response = Response::new(Sent::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for header in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            if let Some(value) = daemon.headers.get(&header) {
                response.headers_mut().insert(header, value.clone());
            }
        }
        let browser = hyper::upgrade::on(&mut request);
        let board =
            name.parse::<Name>().map_err(|error| Failure::from_error(Kind::User, &error))?;
        tasks.spawn(async move {
            let right = caller.on(board.as_str());
            let mut standing = caller.standing(board);
            let carried = async {
                let mut browser = TokioIo::new(browser.await.map_err(std::io::Error::other)?);
                tokio::io::copy_bidirectional(&mut browser, &mut daemon.stream).await
            };
            // Who may something else from now on comes again, and is told so.
            let changed = async { while standing.changed().await == right {} };
            tokio::select! {
                _ = carried => {}
                () = changed => {}
                () = ending.cancelled() => {}
            }
        });
        Ok(response)
    }
}

/// What a board has printed, line by line, as `lava-serial` tells it at `/consoles/{name}/lines`.
#[utoipa::path(get, path = "/boards/{name}/console/lines", params(("name" = String, Path)), responses(
    (status = 200, body = Object),
    (status = 404, body = ErrorBody, description = "no such board, or it has no console"),
))]
pub(super) async fn lines(question: Question) -> Result<Response, ApiError> {
    question.pass("lines").await
}

/// The offset of a point of a board's console, as `lava-serial` tells it at `/consoles/{name}/offset`.
#[utoipa::path(get, path = "/boards/{name}/console/offset", params(("name" = String, Path)), responses(
    (status = 200, body = Object),
    (status = 404, body = ErrorBody, description = "no such board, or it has no console"),
))]
pub(super) async fn offset(question: Question) -> Result<Response, ApiError> {
    question.pass("offset").await
}

/// The timeline of a board's console, as `lava-serial` tells it at `/consoles/{name}/events`.
#[utoipa::path(get, path = "/boards/{name}/console/events", params(("name" = String, Path)), responses(
    (status = 200, body = Object),
    (status = 404, body = ErrorBody, description = "no such board, or it has no console"),
))]
pub(super) async fn events(question: Question) -> Result<Response, ApiError> {
    question.pass("events").await
}

/// Whether a board is on, as its PDU says now.
#[utoipa::path(get, path = "/boards/{name}/console/outlet", params(("name" = String, Path)), responses(
    (status = 200, body = Report),
    (status = 404, body = ErrorBody, description = "no such board, or it has no outlet"),
    (status = 502, body = ErrorBody, description = "lava-power or the PDU does not answer"),
))]
pub(super) async fn status(question: Question) -> Result<Json<Report>, ApiError> {
    let outlet = question.part(DaemonKind::Power).await?;
    let report = outlet::operate(&outlet, Verb::Status, &PowerRequest::default()).await;
    Ok(Json(report.map_err(answered)?))
}

/// Switches a board, and answers when it is done: `lava-power` says whether, and what came of it.
#[utoipa::path(post, path = "/boards/{name}/console/outlet/{verb}", request_body = Switch, params(
    ("name" = String, Path), ("verb" = String, Path, description = "on, off or cycle"),
), responses(
    (status = 200, body = Report),
    (status = 404, body = ErrorBody, description = "no such board, or it has no outlet"),
    (status = 409, body = ErrorBody, description = "somebody else holds the board; the message tells who"),
    (status = 502, body = ErrorBody, description = "it failed, or lava-power does not answer"),
))]
pub(super) async fn switch(
    State(server): State<Server>,
    Path(path): Path<HashMap<String, String>>,
    Extension(caller): By,
    Extension(Peer(peer)): Extension<Peer>,
    body: Body,
) -> Result<Json<Report>, ApiError> {
    let of = |key: &str| path.get(key).map(String::as_str).unwrap_or_default();
    let (name, verb) = (of("name"), of("verb"));
    let verb = match verb {
        "on" => Verb::On,
        "off" => Verb::Off,
        "cycle" => Verb::Cycle,
        _ => {
            let what = format!("an outlet is switched on, off or cycle, not {verb:?}");
            return Err(ApiError::not_found(what));
        }
    };
    let Switch { user, reason, force, .. } = read(body, r#"{"user":"alice"}"#)?;
    check("user", user.as_deref(), MAX_USER)?;
    check("reason", reason.as_deref(), MAX_REASON)?;
    if force && !caller.may(Right::Control, name) {
        return Err(missing(&caller, caller.on(name), Right::Control, name));
    }
    if force && reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        let what = "to force it needs a reason, which everybody sees";
        return Err(Failure::new(Kind::User, what).into());
    }
    let outlet = part(&server, name, DaemonKind::Power, &caller, &peer).await?;
    let user = if outlet.login.behalf.is_some() {
        user
    } else {
        Some(caller.user(user, || "http".into()))
    };
    let report = outlet::operate(&outlet, verb, &PowerRequest { user, reason, force }).await;
    Ok(Json(report.map_err(answered)?))
}

/// What is asked of a board's console or outlet as it is.
pub(super) struct Question {
    server: Server,
    name: String,
    query: Option<String>,
    caller: Caller,
    peer: String,
}

impl FromRequestParts<Server> for Question {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        type All = (Path<String>, RawQuery, By, Extension<Peer>);
        let all = All::from_request_parts(parts, server).await?;
        let (Path(name), RawQuery(query), Extension(caller), Extension(Peer(peer))) = all;
        Ok(Self { server: server.clone(), name, query, caller, peer })
    }
}

impl Question {
    /// The board's console or outlet.
    async fn part(&self, kind: DaemonKind) -> Result<Resource, ApiError> {
        part(&self.server, &self.name, kind, &self.caller, &self.peer).await
    }

    /// Asks the console for it, and gives the answer as it is.
    async fn pass(self, what: &str) -> Result<Response, ApiError> {
        let console = self.part(DaemonKind::Serial).await?;
        let path = format!("{}/{what}?{}", console.path, self.query.unwrap_or_default());
        let answer = console.http().get_bytes(&path).await.map_err(answered)?;
        Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
    }
}

/// A board's console or outlet, asked on behalf of the caller, who may there what they may on the board. Who has no
/// name here is nobody there: then the server asks for itself.
async fn part(
    server: &Server,
    name: &str,
    kind: DaemonKind,
    caller: &Caller,
    peer: &str,
) -> Result<Resource, ApiError> {
    let board = server.board(name).await?;
    let (url, what) = match kind {
        DaemonKind::Serial => (board.console_url, "console"),
        DaemonKind::Power => (board.outlet_url, "outlet"),
    };
    let none = || ApiError::not_found(format!("{name} has no {what} that is known"));
    let part = server.part(&url.ok_or_else(none)?)?;
    let Some(behalf) = caller.behalf(&board.name, peer)? else { return Ok(part) };
    let mut rights = Rights::default();
    let all = caller.on_all().zip("*".parse().ok());
    let own = caller.on(name).zip(part.name().parse().ok());
    all.into_iter().chain(own).for_each(|(right, pattern)| rights.grant(pattern, right));
    let behalf = Some(std::sync::Arc::new(Behalf { rights, ..behalf }));
    let login = crate::client::Login { behalf, ..part.login.clone() };
    Ok(Resource { login, ..part })
}

/// What a daemon says, as this server says it.
fn answered(failure: Failure) -> ApiError {
    match (failure.refusal, failure.kind) {
        (Some(Refusal::Rights), _) => ApiError::new(StatusCode::FORBIDDEN, failure),
        // What is wrong with our token there is not wrong with the request.
        (_, Kind::Config) => ApiError::new(StatusCode::BAD_GATEWAY, failure),
        _ => failure.into(),
    }
}
