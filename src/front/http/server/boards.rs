//! Boards: what they are, how they are, and what has happened to them.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{ApiError, Params};
use super::{Answer, Body, By, Caller, Doors, MAX_REASON, asking, check, read, whoever};
use crate::client::ErrorBody;
use crate::model::{
    BoardDescription, BoardIdentity, BoardInfo, BoardRecord, Failure, HealthChange,
    IdentityVerdict, Kind, Name, Right,
};
use crate::server::Server;

/// Who asks, where nobody logs in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asking {
    user: Option<String>,
    /// Only if there is none of that name yet.
    #[serde(default)]
    new: bool,
}

/// When a board is in maintenance.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Maintenance {
    /// From and until, in seconds since the Unix epoch.
    windows: Vec<(u64, u64)>,
    #[serde(default)]
    user: Option<String>,
}

/// All boards.
#[utoipa::path(get, path = "/boards", responses((status = 200, body = Vec<BoardInfo>)))]
pub(super) async fn list(
    State(server): State<Server>,
    Extension(caller): By,
) -> Json<Vec<BoardInfo>> {
    let mut boards = server.boards().await;
    boards.retain(|board| caller.may(Right::See, board.name.as_str()));
    Json(boards.into_iter().map(|board| shown(board, &caller)).collect())
}

/// What a board's jobs are made of may have secrets in it: it is for who has control of the board.
fn shown(board: BoardInfo, caller: &Caller) -> BoardInfo {
    if caller.may(Right::Control, board.name.as_str()) {
        return board;
    }
    BoardInfo { dictionary: None, health_check: None, ..board }
}

/// One board.
#[utoipa::path(get, path = "/boards/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = BoardInfo),
    (status = 404, body = ErrorBody, description = "no such board"),
))]
pub(super) async fn get(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
) -> Answer<BoardInfo> {
    Ok(Json(shown(server.board(&name).await?, &caller)))
}

/// Adds a board, or describes one anew. Without a console and an outlet, a new one has those that are
/// announced by its name.
#[utoipa::path(put, path = "/boards/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
    ("new" = Option<bool>, Query, description = "only if there is none of that name yet"),
), request_body = BoardDescription, responses(
    (status = 200, body = BoardInfo),
    (status = 400, body = ErrorBody, description = "the description is not understood"),
    (status = 403, body = ErrorBody, description = "what it consists of is not the caller's to name"),
    (status = 409, body = ErrorBody, description = "what it consists of belongs to another board"),
))]
pub(super) async fn put(
    State(server): State<Server>,
    Path(name): Path<String>,
    Params(Asking { user, new }): Params<Asking>,
    Extension(caller): By,
    Extension(doors): Extension<Doors>,
    body: Body,
) -> Answer<BoardInfo> {
    let description: BoardDescription =
        read(body, r#"{"type":"panda","console":"farm1/panda01","tags":["hdmi"]}"#)?;
    let name: Name = name.parse().map_err(|error| wrong(&error))?;
    let asker = asking(&caller, whoever(&caller, user)?);
    server.check_description(&name, &description, &asker).await?;
    let board = server.put_board(name, description, new, &asker.user).await?;
    doors.access.set_kind(board.name.as_str(), board.kind.as_str());
    Ok(Json(board))
}

/// Takes a board out of the lab.
#[utoipa::path(delete, path = "/boards/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200),
    (status = 404, body = ErrorBody, description = "no such board"),
    (status = 409, body = ErrorBody, description = "somebody has it"),
))]
pub(super) async fn remove(
    State(server): State<Server>,
    Path(name): Path<String>,
    Params(Asking { user, .. }): Params<Asking>,
    Extension(caller): By,
) -> Answer<()> {
    let who = whoever(&caller, user)?;
    Ok(Json(server.remove_board(&name, &who).await?))
}

/// Says how healthy a board is. Only good ones, and those of which nobody knows, are given to people.
#[utoipa::path(post, path = "/boards/{name}/health", params(("name" = String, Path)),
    request_body = HealthChange, responses(
    (status = 200, body = BoardInfo),
    (status = 404, body = ErrorBody, description = "no such board"),
))]
pub(super) async fn health(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<BoardInfo> {
    let HealthChange { health, reason, user } =
        read(body, r#"{"health":"bad","reason":"no SD card"}"#)?;
    check("reason", Some(&reason), MAX_REASON)?;
    let who = whoever(&caller, user)?;
    Ok(Json(server.set_health(&name, health, &reason, &who).await?))
}

/// Compares what a board tells of itself with what is known of it. What it tells first is written down; when it is
/// another one than it was, it is bad.
#[utoipa::path(post, path = "/boards/{name}/identity", params(("name" = String, Path)),
    request_body = BoardIdentity, responses(
    (status = 200, body = IdentityVerdict),
    (status = 400, body = ErrorBody, description = "that is no identity"),
    (status = 403, body = ErrorBody, description = "to accept it needs control of the board"),
    (status = 404, body = ErrorBody, description = "no such board"),
))]
pub(super) async fn identity(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<IdentityVerdict> {
    let mut told: BoardIdentity = read(body, r#"{"mac":["00:1d:7e:aa:bb:cc"],"identity":"A123"}"#)?;
    if told.accept && !caller.may(Right::Control, &name) {
        let what = format!("only who has control of {name} says which board it is");
        return Err(Failure::new(Kind::Refused, what).into());
    }
    let asker = asking(&caller, whoever(&caller, told.user.take())?);
    Ok(Json(server.identify(&name, told, &asker).await?))
}

/// Sets when a board is in maintenance, in place of what was set before: nobody is given it then.
#[utoipa::path(post, path = "/boards/{name}/maintenance", params(("name" = String, Path)),
    request_body = Maintenance, responses(
    (status = 200),
    (status = 404, body = ErrorBody, description = "no such board"),
    (status = 409, body = ErrorBody, description = "somebody has it then"),
))]
pub(super) async fn maintenance(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<()> {
    let Maintenance { windows, user } = read(body, r#"{"windows":[[1790000000,1790003600]]}"#)?;
    let who = whoever(&caller, user)?;
    Ok(Json(server.set_windows(&name, windows, &who).await?))
}

/// What has happened to a board, the oldest first: the last 200 things.
#[utoipa::path(get, path = "/boards/{name}/history", params(("name" = String, Path)), responses(
    (status = 200, body = Vec<BoardRecord>),
    (status = 404, body = ErrorBody, description = "no such board"),
))]
pub(super) async fn history(
    State(server): State<Server>,
    Path(name): Path<String>,
) -> Answer<Vec<BoardRecord>> {
    Ok(Json(server.history(&name).await?))
}

fn wrong(error: &dyn std::error::Error) -> ApiError {
    Failure::new(Kind::User, error.to_string()).into()
}
