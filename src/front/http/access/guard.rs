//! The one place through which every request passes: who asks, and may they?

use std::borrow::Cow;
use std::time::Duration;

use axum::RequestExt as _;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Access, Caller, Origin, Shown, Who, missing};
use crate::front::http::pages::{is_browser, is_sent_here};
use crate::front::http::{ApiError, Peer};
use crate::model::{Behalf, Failure, Kind, Name, Refusal, Right, user_text};

/// A WebSocket of a browser cannot have a header of its own: it shows its token as a protocol of this
/// beginning, beside the one it wants to speak.
pub const TOKEN_PROTOCOL: &str = "lava-token.";

/// Who is nobody to us has this long to send the whole of a request.
const STRANGERS_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: nobody is asked who they are.
    Nothing,
    /// This right on what the path names.
    Named(Right),
    /// It is about all things on which one has this right, and about no other.
    Each(Right),
    /// This right on everything there is.
    All(Right),
    /// To be the worker that the path names, by its token; or control of everything.
    Worker,
}

/// Method, route, and what it needs.
pub type Row = (&'static str, &'static str, Need);

/// Lets requests in. A request that is not in the table is not let in at all.
#[derive(Debug, Clone)]
pub struct Guard {
    pub access: Access,
    pub table: &'static [Row],
    /// What a path names, for messages: `console`.
    pub thing: &'static str,
}

/// The middleware. A connection goes on only behind the request of somebody who was let in: others
/// could hold it for ever by asking more and more and reading nothing, or by never coming to an end.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.let_in(&mut request).await {
        Ok(()) if request.extensions().get::<Caller>().is_some() => next.run(request).await,
        Ok(()) => {
            let answered = tokio::time::timeout(STRANGERS_TIMEOUT, next.run(request)).await;
            last(answered.unwrap_or_else(|_| too_late().into_response()))
        }
        Err(refused) => {
            let unknown = refused.status == StatusCode::UNAUTHORIZED;
            let mut response = last(refused.into_response());
            if unknown {
                let how = HeaderValue::from_static("Bearer realm=\"lava\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, how);
            }
            response
        }
    }
}

/// The last answer on its connection.
pub fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

impl Guard {
    /// Leaves the caller and the need in the request.
    async fn let_in(&self, request: &mut Request) -> Result<(), ApiError> {
        // Without a route it is a page that is not there, whoever asks.
        let Some(route) = request.extensions().get::<MatchedPath>().cloned() else {
            return Ok(());
        };
        let need = self.need(request.method(), route.as_str())?;
        if need == Need::Nothing {
            return Ok(());
        }
        let origin = request.extensions().get::<Origin>();
        let origin = origin.ok_or_else(|| Failure::new(Kind::Bug, "a request from nowhere"))?;
        let caller = self.access.identify(origin, shown(request.headers()))?;
        if *caller.who() == Who::Anyone {
            self.keep_strangers_out(origin, request.headers())?;
        }
        let caller = match behalf(request.headers())? {
            None => caller,
            Some(behalf) => {
                if let Some(from) = &behalf.from {
                    request.extensions_mut().insert(Peer(user_text(from)));
                }
                let named = caller.name().unwrap_or_else(|| "you".into());
                caller.speaking_for(behalf).ok_or_else(|| mute(&named))?
            }
        };
        if let Some(worker) = caller.worker() {
            if need != Need::Worker || param(request, "worker").await != worker.as_str() {
                return Err(only_worker(&worker, caller.who()));
            }
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(need);
            return Ok(());
        }
        // What outlives a run, as users and tokens do, is not for its token.
        let lasting =
            matches!(need, Need::Worker | Need::All(Right::Control) | Need::Named(Right::Control));
        if caller.job().is_some() && lasting {
            return Err(only_run());
        }
        match need {
            Need::Nothing | Need::Each(_) => {}
            Need::Worker => {
                let has = caller.on_all();
                if has < Some(Right::Control) {
                    return Err(missing(&caller, has, Right::Control, "everything"));
                }
            }
            Need::All(right) => {
                let has = caller.on_all();
                if has < Some(right) {
                    return Err(missing(&caller, has, right, "everything"));
                }
            }
            Need::Named(right) => {
                let name = &param(request, "name").await;
                let has = caller.on(name);
                // The same whether it is there or not.
                if has < Some(Right::See) {
                    let what = format!("there is no {} {name:?}", self.thing);
                    return Err(ApiError::not_found(what));
                }
                if has < Some(right) {
                    return Err(missing(&caller, has, right, name));
                }
            }
        }
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(need);
        Ok(())
    }

    /// Refuses what a web page of a stranger could be behind, where nobody has to log in: the name that it was
    /// sent to is not ours. From elsewhere only browsers show such pages.
    fn keep_strangers_out(&self, origin: &Origin, headers: &HeaderMap) -> Result<(), ApiError> {
        if !origin.is_loopback() && !is_browser(headers)
            || is_sent_here(headers, &self.access.config().names)
        {
            return Ok(());
        }
        let what = "this name is not known to be this host's, and a web page could be behind it";
        let failure = Failure::new(Kind::Refused, what).hint(
            "write localhost or the address in place of the name; or tell the daemon this name, in \
             [http] names; or let people in by name",
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, failure))
    }

    fn need(&self, method: &Method, route: &str) -> Result<Need, ApiError> {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let found = self.table.iter().find(|(m, path, _)| *m == method && *path == route);
        if let Some((_, _, need)) = found {
            return Ok(*need);
        }
        if self.table.iter().any(|(_, path, _)| *path == route) {
            let failure = Failure::new(Kind::User, "this page does not take that method")
                .hint("GET reads, POST does; GET /openapi.json lists the pages");
            return Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, failure));
        }
        Err(Failure::new(Kind::Bug, format!("nobody has said who may {method} {route}")).into())
    }
}

/// What the path has for a part of its route.
async fn param(request: &mut Request, key: &str) -> String {
    let params = request.extract_parts::<RawPathParams>().await.ok();
    let found = params.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == key));
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// What a request shows to be let in. The login of a page counts only for what our own pages ask for, or
/// what somebody has typed into a browser.
pub(in crate::front) fn shown(headers: &HeaderMap) -> Shown<'_> {
    if let Some(token) = token(headers) {
        return Shown::Token(token);
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let ours = matches!(site, None | Some(b"same-origin" | b"none"));
    login(headers).filter(|_| ours).map_or(Shown::Nothing, Shown::Login)
}

/// The name of the cookie that has a page's login. Cookies know no ports, and so their names do.
pub(in crate::front) fn login_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    port.map_or_else(|| "lava".to_owned(), |port| format!("lava-{port}"))
}

fn login(headers: &HeaderMap) -> Option<&str> {
    let name = login_name(headers);
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        values.flat_map(|value| value.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, login)| login)
}

/// The token that a request shows.
fn token(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return match () {
            () if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim().into()),
            () if scheme.eq_ignore_ascii_case("basic") => password(token.trim()).map(Cow::Owned),
            () => None,
        };
    }
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered =
        offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    offered.find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL)).map(Cow::Borrowed)
}

/// The password of RFC 7617, for clients that can log in by nothing else: it is the token, and the user
/// is whoever has it.
fn password(credentials: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64.decode(credentials).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// For whom a request is, if not for who makes it.
///
/// # Errors
/// 400 when that is not understood: it is not passed over, since it takes rights away.
fn behalf(headers: &HeaderMap) -> Result<Option<Behalf>, ApiError> {
    let mut all = headers.get_all(Behalf::HEADER).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let wrong = |why: &str| {
        let what = format!("{}: {why}", Behalf::HEADER);
        ApiError::new(StatusCode::BAD_REQUEST, Failure::new(Kind::User, what))
    };
    if all.next().is_some() || value.len() > Behalf::MAX_LENGTH {
        return Err(wrong("it is there once, and no longer than 8 KiB"));
    }
    serde_json::from_slice(value.as_bytes()).map(Some).map_err(|error| wrong(&error.to_string()))
}

/// 408
fn too_late() -> ApiError {
    let seconds = STRANGERS_TIMEOUT.as_secs();
    let what = format!("the whole of a request has to come within {seconds} s");
    ApiError::new(StatusCode::REQUEST_TIMEOUT, Failure::new(Kind::Refused, what))
}

/// 403: who has a worker's token or certificate, and asks for something else.
fn only_worker(worker: &Name, by: &Who) -> ApiError {
    let shown = if matches!(by, Who::Certificate { .. }) { "certificate" } else { "token" };
    let what = format!("this is the {shown} of the worker {worker}, and for nothing else");
    let failure = Failure::new(Kind::Refused, what).hint("lava user token makes others");
    ApiError::new(StatusCode::FORBIDDEN, failure.because(Refusal::Rights))
}

/// 403: a script that runs asks for what is not for scripts.
pub(in crate::front) fn only_run() -> ApiError {
    let what = "this is the token of a script that runs: it is for boards and jobs";
    let failure = Failure::new(Kind::Refused, what).because(Refusal::Rights);
    ApiError::new(StatusCode::FORBIDDEN, failure)
}

/// 403: who asks for others, and may not.
fn mute(named: &str) -> ApiError {
    let what = format!("{named} may not ask on behalf of others");
    let failure = Failure::new(Kind::Refused, what)
        .hint("speaks_for_others = true of its [[token]] or [[certificate]] lets it");
    ApiError::new(StatusCode::FORBIDDEN, failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::USER_AGENT;

    use crate::config::AccessConfig;

    #[test]
    fn for_whom_it_is_is_understood_or_refused() {
        let of = |values: &[&str]| {
            let value = |text: &&str| (Behalf::HEADER.parse().unwrap(), text.parse().unwrap());
            behalf(&HeaderMap::from_iter(values.iter().map(value)))
        };
        let alice = r#"{"user":"alice","rights":[["*","spy"]]}"#;
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[alice]).unwrap().unwrap().user.as_str(), "alice");
        let long = format!("{alice}{}", " ".repeat(Behalf::MAX_LENGTH));
        for wrong in [&[""][..], &["alice"], &[alice, alice], &[&long]] {
            assert_eq!(of(wrong).unwrap_err().status, StatusCode::BAD_REQUEST, "{wrong:?}");
        }
    }

    #[test]
    fn a_page_behind_a_name_that_is_not_ours_is_kept_out_on_every_listener() {
        let names = vec!["lab.example".parse().unwrap()];
        let config = AccessConfig { names, ..AccessConfig::default() };
        let guard = Guard { access: Access::new(config), table: &[], thing: "console" };
        let let_in = |address: &str, host: &'static str, agent: &'static str| {
            let address = address.parse().unwrap();
            let origin = Origin::Tcp { address, may_be_open: true, certificate: Vec::new() };
            let headers = [(HOST, host), (USER_AGENT, agent)];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            guard.keep_strangers_out(&origin, &headers.into_iter().collect()).is_ok()
        };
        let (browser, program) = ("Mozilla/5.0 (X11)", "lava");
        for address in ["127.0.0.1", "192.0.2.7"] {
            assert!(let_in(address, "192.0.2.1:7100", browser));
            assert!(let_in(address, "lab.example:7100", browser));
            assert!(!let_in(address, "evil.example:7100", browser));
        }
        // A program goes where it is sent to; to our loopback a browser could send it.
        assert!(let_in("192.0.2.7", "lab:7100", program));
        assert!(!let_in("127.0.0.1", "evil.example", program));
    }

    #[test]
    fn a_token_is_in_one_of_two_headers() {
        let of = |name, value: &str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
            token(&headers).map(Cow::into_owned)
        };
        assert_eq!(of(AUTHORIZATION, "Bearer lava_x").as_deref(), Some("lava_x"));
        assert_eq!(of(AUTHORIZATION, "bearer  lava_x ").as_deref(), Some("lava_x"));
        // user:lava_x, lava, and neither.
        assert_eq!(of(AUTHORIZATION, "Basic dXNlcjpsYXZhX3g=").as_deref(), Some("lava_x"));
        assert_eq!(of(AUTHORIZATION, "Basic bGF2YQ=="), None);
        assert_eq!(of(AUTHORIZATION, "Basic user:lava_x"), None);
        assert_eq!(of(AUTHORIZATION, "Digest lava_x"), None);
        let offered = "lava-attach, lava-token.lava_x";
        assert_eq!(of(SEC_WEBSOCKET_PROTOCOL, offered).as_deref(), Some("lava_x"));
        assert_eq!(of(SEC_WEBSOCKET_PROTOCOL, "chat"), None);
    }

    #[test]
    fn a_pages_login_is_of_its_port_and_not_for_other_sites() {
        let of = |host: &'static str, cookie: &'static str, site: &'static str| {
            let site = Some(("sec-fetch-site", site)).filter(|(_, site)| !site.is_empty());
            let pairs = [("host", host), ("cookie", cookie)].into_iter().chain(site);
            let headers: HeaderMap = pairs
                .map(|(name, value)| {
                    (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect();
            shown(&headers) == Shown::Login("x")
        };
        assert!(of("localhost:7100", "a=b; lava-7100=x", "same-origin"));
        assert!(of("lab.example", "lava=x", ""));
        assert!(!of("localhost:7100", "lava-7200=x", "same-origin"));
        assert!(!of("localhost:7100", "lava-7100=x", "same-site"));
        assert!(!of("localhost:7100", "lava-7100=x", "cross-site"));
    }
}
