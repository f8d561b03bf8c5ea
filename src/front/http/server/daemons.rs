//! The daemons that serve the lab's consoles and outlets.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::access::Origin;
use super::super::{ApiError, Params};
use super::{Answer, Body, By, MAX_USER, check, read};
use crate::client::ErrorBody;
use crate::model::{Announced, Announcee, Announcement, DaemonInfo, DaemonKind, Right};
use crate::server::Server;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    url: String,
}

pub(super) async fn healthz(State(server): State<Server>) -> Result<&'static str, ApiError> {
    server.check().await?;
    Ok("ok\n")
}

/// The daemons that have announced themselves.
#[utoipa::path(get, path = "/daemons", responses((status = 200, body = Vec<DaemonInfo>)))]
pub(super) async fn list(State(server): State<Server>) -> Json<Vec<DaemonInfo>> {
    Json(server.daemons().await)
}

/// A daemon tells what it serves, again and again.
#[utoipa::path(post, path = "/daemons", request_body = Announcement, responses(
    (status = 200, body = Announced),
    (status = 400, body = ErrorBody, description = "the body is not understood, or nobody can reach the daemon there"),
))]
pub(super) async fn announce(
    State(server): State<Server>,
    Extension(origin): Extension<Origin>,
    body: Body,
) -> Answer<Announced> {
    let like =
        r#"{"kind":"serial","host":"farm1","url":"https://farm1:7100","consoles":["panda01"]}"#;
    let announcement: Announcement = read(body, like)?;
    let texts = announcement.outlets.iter().map(|outlet| &outlet.port);
    let own = [&announcement.url, &announcement.version, &announcement.instance];
    for text in texts.chain(own) {
        check("a text", Some(text), 4 * MAX_USER)?;
    }
    Ok(Json(server.announce(announcement, is_here(&origin)).await?))
}

/// Whether a connection is from this host: from an address that one can have here.
fn is_here(origin: &Origin) -> bool {
    match origin {
        Origin::Unix { .. } => true,
        Origin::Passed { near: false, .. } => false,
        Origin::Tcp { address, .. } | Origin::Passed { by: address, .. } => {
            address.to_canonical().is_loopback() || std::net::UdpSocket::bind((*address, 0)).is_ok()
        }
    }
}

/// Forgets a daemon that is not there any more.
#[utoipa::path(delete, path = "/daemons", params(("url" = String, Query)), responses(
    (status = 200),
    (status = 400, body = ErrorBody, description = "it is not known"),
))]
pub(super) async fn forget(
    State(server): State<Server>,
    Params(Which { url }): Params<Which>,
) -> Answer<()> {
    Ok(Json(server.forget_daemon(&url).await?))
}

/// The consoles that are announced, with the boards that they belong to.
#[utoipa::path(get, path = "/consoles", responses((status = 200, body = Vec<Announcee>)))]
pub(super) async fn consoles(
    State(server): State<Server>,
    Extension(caller): By,
) -> Json<Vec<Announcee>> {
    announced(&server, &caller, DaemonKind::Serial).await
}

/// The same of outlets.
#[utoipa::path(get, path = "/outlets", responses((status = 200, body = Vec<Announcee>)))]
pub(super) async fn outlets(
    State(server): State<Server>,
    Extension(caller): By,
) -> Json<Vec<Announcee>> {
    announced(&server, &caller, DaemonKind::Power).await
}

async fn announced(
    server: &Server,
    caller: &super::Caller,
    kind: DaemonKind,
) -> Json<Vec<Announcee>> {
    let mut all = server.announced(kind).await;
    all.retain(|thing| {
        caller.may(Right::See, thing.board.as_ref().unwrap_or(&thing.name).as_str())
    });
    Json(all)
}
