//! A connection that somebody else speaks on through us: a browser's WebSocket at a console.

use std::pin::pin;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::upgrade::Upgraded;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::Resource;
use super::http::Connection;
use crate::model::{Behalf, Failure, Kind};

/// The longest answer that tells a failure, in bytes.
const MAX_FAILURE: usize = 1024 * 1024;

/// A connection that a daemon has agreed to speak another protocol on.
#[derive(Debug)]
pub struct Tunnel {
    /// With what it has agreed.
    pub headers: HeaderMap,
    pub stream: TokioIo<Upgraded>,
}

/// Asks for `rest` of a thing (`/screen?mode=rw`) with the headers of who is to speak there. Cancel safe.
///
/// # Errors
/// The daemon's own failure where it refused; else [`Kind::Lab`].
pub async fn open(thing: &Resource, rest: &str, headers: HeaderMap) -> Result<Tunnel, Failure> {
    let Resource { endpoint, path, login } = thing;
    let http = thing.http();
    let stream = TokioIo::new(endpoint.connect(login).await?);
    let shaken = hyper::client::conn::http1::handshake(stream).await;
    let (mut sender, connection) = shaken.map_err(|error| http.broken(&error))?;
    let path = format!("{path}{rest}");
    let mut request = Request::builder().uri(&path).header(HOST, endpoint.host());
    if let Some(token) = endpoint.authorization(login)? {
        request = request.header(AUTHORIZATION, token);
    }
    if let Some(behalf) = login.behalf()? {
        request = request.header(Behalf::HEADER, behalf);
    }
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Failure::from_error(Kind::User, &error))?;
    // It may come to its end at any point here, and then it is not looked at again.
    let mut connection = (Box::pin(connection.with_upgrades()) as Connection).fuse();
    let response = {
        let mut response = pin!(sender.send_request(request));
        tokio::select! {
            response = &mut response => response,
            _ = &mut connection => response.await,
        }
    };
    let response = response.map_err(|error| http.broken(&error))?;
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let mut body = pin!(Limited::new(response.into_body(), MAX_FAILURE).collect());
        let body = tokio::select! {
            body = &mut body => body,
            _ = &mut connection => body.await,
        };
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return Err(http.refusal(&path, status, &body));
    }
    let headers = response.headers().clone();
    let mut upgraded = pin!(hyper::upgrade::on(response));
    let upgraded = tokio::select! {
        upgraded = &mut upgraded => upgraded,
        _ = &mut connection => upgraded.await,
    };
    let stream = TokioIo::new(upgraded.map_err(|error| http.broken(&error))?);
    Ok(Tunnel { headers, stream })
}
