//! What a server does for its clients while another one has the lab: it asks that one for them.
//!
//! A request goes on as it is, whatever it is for, and so does the answer, both as they come: bodies of any length, ranges,
//! events, WebSockets. Who is let in the other one decides, by what the request shows: it is told that it was passed on,
//! and trusts nobody for our sake (`access/passed.rs`). We show nothing of our own.

use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::access::{Origin, last};
use super::super::{ApiError, Encrypted, Place, refuse_foreign_pages};
use crate::client::{Endpoint, Login};
use crate::model::{Failure, Kind};

/// In so many seconds another one may have the lab.
const RETRY_S: u64 = 2;
/// As whom we pass a request on (RFC 9110, 7.6.3). One that has gone through us goes through no other one: else two that
/// take each other for the one with the lab would pass it on for ever.
const WE: &str = "lava-standby";
const VIA_US: HeaderValue = HeaderValue::from_static("1.1 lava-standby");
/// What is of one connection, and not passed on (RFC 9110, 7.6.1), beside what `Connection` names.
const OF_A_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// By these the one with the lab knows that it was passed on, whatever `Connection` names.
const OF_THE_WAY: [HeaderName; 3] = [VIA, FORWARDED, HeaderName::from_static("x-forwarded-for")];
/// What goes on for as long as its client likes.
const ENDLESS: [&str; 2] = ["text/event-stream", "application/x-ndjson"];

/// Who has the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leading {
    /// For people.
    pub name: String,
    /// Where it is asked, or why it is not.
    pub way: Result<Endpoint, String>,
}

/// A server that stands by.
#[derive(Debug, Clone)]
pub struct Standby {
    /// Who has the lab, now.
    pub leading: watch::Receiver<Leading>,
    /// By which CAs that one is known; nothing of it is shown.
    pub login: Login,
    pub tasks: TaskTracker,
    /// What is passed on ends here.
    pub cut: CancellationToken,
}

/// Passes everything on, but `/healthz`, which tells that this one stands by.
pub fn standby_router(standby: Standby) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .fallback(pass_on)
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .with_state(standby)
}

async fn healthz(State(standby): State<Standby>) -> ApiError {
    standby.not_us("ask that one, or again in a while".into())
}

async fn pass_on(State(standby): State<Standby>, request: Request) -> Response {
    standby.ask(request).await.unwrap_or_else(|error| last(error.into_response()))
}

impl Standby {
    async fn ask(&self, mut request: Request) -> Result<Response, ApiError> {
        let mut ways = request.headers().get_all(VIA).iter();
        if ways.any(|way| way.to_str().is_ok_and(|way| way.contains(WE))) {
            let hint = "who passed this on takes this one for that; ask again in a while";
            return Err(self.not_us(hint.into()));
        }
        let Leading { name, way } = self.leading.borrow().clone();
        let endpoint = way.map_err(|why| self.not_us(why))?;
        let origin = request.extensions().get::<Origin>().cloned();
        let origin = origin.ok_or_else(|| Failure::new(Kind::Bug, "a request from nowhere"))?;
        let place = request.extensions().get::<Place>().cloned();
        let client = upgrade(request.headers()).map(|_| hyper::upgrade::on(&mut request));
        let onward = onward(request, &origin)?;

        let lost = |error: Failure| self.not_us(error.message);
        let stream = TokioIo::new(endpoint.connect(&self.login).await.map_err(lost)?);
        let shaken = hyper::client::conn::http1::handshake(stream).await;
        let broken = |what: &str| {
            let what = format!("{name}, which has the lab, {what}");
            let failure = Failure::new(Kind::Lab, what);
            failure.hint("look whether it was done before it is asked again")
        };
        let (mut sender, connection) =
            shaken.map_err(|error| broken(&format!("does not answer: {error}")))?;
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                // What was wrong the answer tells.
                _ = connection.with_upgrades() => {}
                () = cut.cancelled() => {}
            }
        });
        let answer = tokio::select! {
            () = self.cut.cancelled() => return Err(broken("has not answered").into()),
            answer = sender.send_request(onward) => answer,
        };
        let mut answer = answer.map_err(|error| broken(&format!("has not answered: {error}")))?;
        if answer.status() == StatusCode::UNAUTHORIZED && is_known_only_there(&origin) {
            return Err(only_there(&name));
        }
        let is_last = names(answer.headers(), "close");
        let mut head = passed(answer.headers());
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let (Some(client), Some(to)) = (client, upgrade(answer.headers()))
        {
            head.insert(UPGRADE, to);
            head.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            let leader = hyper::upgrade::on(&mut answer);
            let cut = self.cut.clone();
            self.tasks.spawn(async move {
                let carried = async {
                    let mut leader = TokioIo::new(leader.await.map_err(io::Error::other)?);
                    let mut client = TokioIo::new(client.await.map_err(io::Error::other)?);
                    tokio::io::copy_bidirectional(&mut client, &mut leader).await
                };
                tokio::select! {
                    // Each of them sees that the other one has gone.
                    _ = carried => {}
                    () = cut.cancelled() => {}
                }
            });
            let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
            *response.headers_mut() = head;
            return Ok(response);
        }
        // The one with the lab has counted them.
        if let Some(place) = place.filter(|_| answer.status().is_success() && is_endless(&head)) {
            place.leave();
        }
        let status = answer.status();
        let body = Body::new(answer.into_body()).into_data_stream();
        let body = stream::try_unfold((body, self.cut.clone()), |(mut body, cut)| async move {
            tokio::select! {
                biased;
                // It is no end: the client sees that something is missing.
                () = cut.cancelled() => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                next = body.next() => {
                    let next = next.transpose().map_err(io::Error::other)?;
                    Ok(next.map(|bytes| (bytes, (body, cut))))
                }
            }
        });
        let mut response = Response::new(Body::from_stream(body));
        *response.status_mut() = status;
        *response.headers_mut() = head;
        Ok(if is_last { last(response) } else { response })
    }

    /// 503
    fn not_us(&self, hint: String) -> ApiError {
        let what = format!("this server stands by: {} has the lab", self.leading.borrow().name);
        let failure = Failure::new(Kind::Lab, what).hint(hint);
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, failure).retry_after(RETRY_S)
    }
}

/// The same request for the one that has the lab.
fn onward(request: Request, origin: &Origin) -> Result<hyper::Request<Body>, Failure> {
    let encrypted = request.extensions().get::<Encrypted>().is_some_and(|Encrypted(is)| *is);
    let (parts, body) = request.into_parts();
    let mut onward = hyper::Request::new(body);
    *onward.method_mut() = parts.method;
    let path = parts.uri.path_and_query().cloned();
    *onward.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    let mut head = passed(&parts.headers);
    if !head.contains_key(HOST)
        && let Some(host) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(host.as_str())
    {
        head.insert(HOST, host);
    }
    if let Some(to) = upgrade(&parts.headers) {
        head.insert(UPGRADE, to);
        head.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    let told = origin.told(encrypted);
    head.append(FORWARDED, told.ok_or_else(|| Failure::new(Kind::Bug, "an odd address"))?);
    head.append(VIA, VIA_US);
    *onward.headers_mut() = head;
    Ok(onward)
}

/// What `Upgrade` says, where `Connection` says that it is meant.
fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(UPGRADE).filter(|_| names(headers, "upgrade")).cloned()
}

/// Whether `Connection` names something.
fn names(headers: &HeaderMap, name: &str) -> bool {
    let all = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(',')).any(|text| text.trim().eq_ignore_ascii_case(name))
}

/// What of a head is not of its connection alone.
fn passed(headers: &HeaderMap) -> HeaderMap {
    let all = headers.iter().filter(|(name, _)| {
        let of_it = OF_A_CONNECTION.contains(name) || names(headers, name.as_str());
        !of_it || OF_THE_WAY.contains(name)
    });
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_endless(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    ENDLESS.iter().any(|endless| kind.starts_with(endless))
}

/// Whether somebody shows what counts only at the server that has the lab.
fn is_known_only_there(origin: &Origin) -> bool {
    match origin {
        Origin::Unix { .. } => true,
        Origin::Tcp { certificate, .. } => !certificate.is_empty(),
        Origin::Passed { .. } => false,
    }
}

/// 401
fn only_there(leader: &str) -> ApiError {
    let what = format!(
        "this server stands by, and {leader}, which has the lab, knows you by a token alone through it: not by a \
         certificate, and not as a user of this host"
    );
    let failure = Failure::new(Kind::Refused, what).hint("show a token, or ask that one");
    ApiError::new(StatusCode::UNAUTHORIZED, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_a_connection_stays_there_and_what_tells_of_the_way_does_not() {
        let lines = [
            ("connection", "close, x-own, Forwarded"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("forwarded", "for=192.0.2.7"),
            ("authorization", "Bearer x"),
            ("range", "bytes=5-"),
        ];
        let lines = lines
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = lines.into_iter().collect();
        let passed = passed(&headers);
        let mut left: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "forwarded", "range"]);
        // It does not say that it wants another protocol.
        assert_eq!(upgrade(&headers), None);
    }
}
