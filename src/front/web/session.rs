//! `/session`: who a browser is, and how it becomes somebody: a token is shown once, and a cookie, which no
//! script can read and no other site has sent, stands for it from then on.

use axum::body::Bytes;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::super::http::access::{Access, Origin, Who, login_name, shown};
use super::super::http::{ApiError, Encrypted};
use crate::model::{Failure, Kind, PAGE_LOGIN_S};

/// Who a browser is here.
#[derive(Debug, Serialize)]
struct Session {
    /// Whether it is let in at all.
    known: bool,
    /// The name that others see; without one it is what it says.
    user: Option<String>,
    /// Whether it has logged in, and can log out.
    token: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

pub(super) async fn session(
    Extension(access): Extension<Access>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let session = match access.identify(&origin, shown(&headers)) {
        Ok(caller) => Session {
            known: true,
            user: caller.name(),
            token: matches!(caller.who(), Who::Token { .. }),
        },
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED => {
            Session { known: false, user: None, token: false }
        }
        Err(refused) => return Err(refused),
    };
    Ok(Json(session).into_response())
}

pub(super) async fn log_in(
    Extension(access): Extension<Access>,
    Extension(origin): Extension<Origin>,
    Extension(encrypted): Extension<Encrypted>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let wrong = |_| Failure::new(Kind::User, "the body is not understood: {\"token\": \"…\"}");
    let Login { token } = serde_json::from_slice(&body).map_err(wrong)?;
    let login = access.log_in(&origin, token.trim())?;
    Ok(match login {
        Some(login) => kept(&cookie(&headers, &login, PAGE_LOGIN_S, encrypted)),
        // Nobody has to log in.
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

pub(super) async fn log_out(
    Extension(encrypted): Extension<Encrypted>,
    headers: HeaderMap,
) -> Response {
    kept(&cookie(&headers, "", 0, encrypted))
}

fn kept(cookie: &str) -> Response {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

fn cookie(headers: &HeaderMap, login: &str, seconds: u64, Encrypted(secure): Encrypted) -> String {
    let name = login_name(headers);
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={login}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
