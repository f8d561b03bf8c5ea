//! Users, groups and tokens: who is let in, and what they may.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{ApiError, Params};
use super::{Answer, Body, By, Doors, read};
use crate::client::ErrorBody;
use crate::model::{
    Failure, GroupInfo, Kind, Name, NewToken, Right, Rights, TOKEN_BYTES, TokenRequest, UserChange,
    UserDescription, UserInfo,
};
use crate::server::{Door, Server};
use crate::sys;

/// Who asks, as they are known here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Myself {
    /// The name that was proved; null where nobody logs in.
    user: Option<String>,
    /// What they may on everything; null when nothing.
    #[schema(value_type = Option<String>)]
    on_all: Option<Right>,
}

/// Who the caller is, and what they may on everything.
#[utoipa::path(get, path = "/whoami", responses((status = 200, body = Myself)))]
pub(super) async fn whoami(Extension(caller): By) -> Json<Myself> {
    Json(Myself { user: caller.name(), on_all: caller.on_all() })
}

/// The users that the server keeps; those of its configuration are not among them.
#[utoipa::path(get, path = "/users", responses((status = 200, body = Vec<UserInfo>)))]
pub(super) async fn list(State(server): State<Server>) -> Answer<Vec<UserInfo>> {
    Ok(Json(server.users().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removing {
    /// Also the last one: nobody has to log in any more.
    #[serde(default)]
    open: bool,
}

/// Adds a user, with a token that is told only now; or says anew what one may. From the first one on everybody
/// has to log in.
#[utoipa::path(put, path = "/users/{user}", params(("user" = String, Path)),
    request_body = UserDescription, responses(
    (status = 200, body = UserChange),
    (status = 400, body = ErrorBody, description = "the description is not understood, or the first \
        user has not control of everything"),
))]
pub(super) async fn put(
    State(server): State<Server>,
    Path(user): Path<String>,
    Extension(doors): Extension<Doors>,
    Extension(caller): By,
    body: Body,
) -> Answer<UserChange> {
    let description: UserDescription =
        read(body, r#"{"groups":["kernel"],"rights":[["panda*","write"]]}"#)?;
    let door = match doors.access.is_open() {
        false => Door::Shut,
        true if caller.is_stranger() => Door::OpenToStranger,
        true => Door::Open,
    };
    let change = server.put_user(&name(&user)?, &description, door, &random()?).await?;
    doors.refresh(&server).await?;
    Ok(Json(change))
}

/// Forgets a user: none of their tokens lets in any more.
#[utoipa::path(delete, path = "/users/{user}", params(
    ("user" = String, Path),
    ("open" = Option<bool>, Query, description = "also the last one: nobody has to log in any more"),
), responses(
    (status = 200),
    (status = 400, body = ErrorBody, description = "it is the last one"),
    (status = 404, body = ErrorBody, description = "no such user"),
))]
pub(super) async fn remove(
    State(server): State<Server>,
    Path(user): Path<String>,
    Params(Removing { open }): Params<Removing>,
    Extension(doors): Extension<Doors>,
) -> Answer<()> {
    server.remove_user(&user, open || !doors.config.is_open()).await?;
    doors.refresh(&server).await?;
    Ok(Json(()))
}

/// Makes a token for a user. It is told only now.
#[utoipa::path(post, path = "/users/{user}/tokens", params(("user" = String, Path)),
    request_body = TokenRequest, responses(
    (status = 200, body = NewToken),
    (status = 404, body = ErrorBody, description = "no such user"),
))]
pub(super) async fn new_token(
    State(server): State<Server>,
    Path(user): Path<String>,
    Extension(doors): Extension<Doors>,
    body: Body,
) -> Answer<NewToken> {
    let asked: TokenRequest = read(body, r#"{"scope":"write","for":"90d","note":"CI"}"#)?;
    let token = server.new_token(&user, asked, &random()?).await?;
    doors.refresh(&server).await?;
    Ok(Json(token))
}

/// Ends a token.
#[utoipa::path(delete, path = "/users/{user}/tokens/{token}", params(
    ("user" = String, Path), ("token" = String, Path, description = "its id"),
), responses(
    (status = 200),
    (status = 400, body = ErrorBody, description = "the user has no such token"),
))]
pub(super) async fn remove_token(
    State(server): State<Server>,
    Path((user, token)): Path<(String, String)>,
    Extension(doors): Extension<Doors>,
) -> Answer<()> {
    server.remove_token(&user, &token).await?;
    doors.refresh(&server).await?;
    Ok(Json(()))
}

/// The groups, whose users have their rights.
#[utoipa::path(get, path = "/groups", responses((status = 200, body = Vec<GroupInfo>)))]
pub(super) async fn groups(State(server): State<Server>) -> Answer<Vec<GroupInfo>> {
    Ok(Json(server.groups().await?))
}

/// Adds a group, or says anew what its users may: pairs of a pattern of boards and a right.
#[utoipa::path(put, path = "/groups/{group}", params(("group" = String, Path)),
    request_body = Vec<(String, String)>, responses(
    (status = 200),
    (status = 400, body = ErrorBody, description = "the rights are not understood"),
))]
pub(super) async fn put_group(
    State(server): State<Server>,
    Path(group): Path<String>,
    Extension(doors): Extension<Doors>,
    body: Body,
) -> Answer<()> {
    let rights: Rights = read(body, r#"[["panda*","write"]]"#)?;
    server.put_group(&name(&group)?, &rights).await?;
    doors.refresh(&server).await?;
    Ok(Json(()))
}

/// Forgets a group that nobody is of.
#[utoipa::path(delete, path = "/groups/{group}", params(("group" = String, Path)), responses(
    (status = 200),
    (status = 400, body = ErrorBody, description = "there is none, or somebody is of it"),
))]
pub(super) async fn remove_group(
    State(server): State<Server>,
    Path(group): Path<String>,
) -> Answer<()> {
    Ok(Json(server.remove_group(&group).await?))
}

fn random() -> Result<[u8; TOKEN_BYTES], Failure> {
    sys::random().map_err(|error| Failure::new(Kind::Infra, error.to_string()))
}

fn name(text: &str) -> Result<Name, ApiError> {
    text.parse().map_err(|error| {
        let failure = Failure::new(Kind::User, format!("{error}"));
        ApiError::from(failure)
    })
}
