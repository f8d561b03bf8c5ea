//! Keeps web pages out: a browser that shows a stranger's page can reach our loopback, too.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{ACCEPT_LANGUAGE, HOST, ORIGIN, REFERER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::ApiError;
use super::access::Origin;
use super::access::last;
use crate::model::{Failure, Kind, Name};

/// Refuses what comes from a page of somebody else: browsers say where a page is from in every
/// request that could do something. Programs say nothing, or our own address.
pub async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        let failure = Failure::new(Kind::Refused, "a web page of somebody else may not do this");
        return last(ApiError::new(StatusCode::FORBIDDEN, failure).into_response());
    }
    next.run(request).await
}

/// Whether a request was sent to a name that is this host's by itself, or one of `names`: a stranger's name can
/// be made to lead here, and a browser then takes us for the stranger. Programs that tell no name are none.
pub(super) fn is_sent_here(headers: &HeaderMap, names: &[Name]) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(port).map_or(host, |(name, _)| name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|own| name.eq_ignore_ascii_case(own.as_str()))
        || own_names().iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// What this host is called: its own name, and its others in /etc/hosts. Not any name that only begins
/// with its own, for a stranger can have one.
fn own_names() -> Vec<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() || name == "(none)" {
        return Vec::new();
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    names_beside(&name, &hosts)
}

/// A name, and all that a hosts(5) file has in the same lines.
fn names_beside(name: &str, hosts: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    for line in hosts.lines() {
        let text = line.split('#').next().unwrap_or_default();
        let others = text.split_whitespace().skip(1);
        if others.clone().any(|other| other.eq_ignore_ascii_case(name)) {
            names.extend(others.map(str::to_owned));
        }
    }
    names
}

/// Refuses browsers, where a mere GET does something: a page can have an image of anywhere, and no
/// browser says then where the page is from.
pub async fn refuse_browsers(request: Request, next: Next) -> Response {
    let origin = request.extensions().get::<Origin>();
    if origin.is_some_and(Origin::is_loopback) && !is_sent_here(request.headers(), &[]) {
        let what = "this name is not known to be this host's, and a web page could be behind it";
        let failure = Failure::new(Kind::Refused, what)
            .hint("write localhost or the address in place of the name");
        return ApiError::new(StatusCode::FORBIDDEN, failure).into_response();
    }
    match refuse_browser(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// The same for one request.
///
/// # Errors
/// 403 to a browser.
pub(super) fn refuse_browser(headers: &HeaderMap) -> Result<(), ApiError> {
    if !is_browser(headers) {
        return Ok(());
    }
    let failure =
        Failure::new(Kind::Refused, "this page is for programs, and a browser asked for it");
    Err(ApiError::new(StatusCode::FORBIDDEN, failure))
}

/// Whether a request has anything that browsers send, and that pages cannot keep them from sending.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    const ONLY_BROWSERS: [&str; 3] = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    [ORIGIN, REFERER, ACCEPT_LANGUAGE].iter().any(|name| headers.contains_key(name))
        || ONLY_BROWSERS.iter().any(|name| headers.contains_key(*name))
        || agent.starts_with(b"Mozilla/")
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    page.is_none_or(|(_, page)| host.is_none_or(|host| !page.eq_ignore_ascii_case(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(origin: &'static str) -> bool {
        let headers = [(HOST, "localhost:7200"), (ORIGIN, origin)];
        is_foreign(
            &headers.map(|(name, value)| (name, value.parse().unwrap())).into_iter().collect(),
        )
    }

    #[test]
    fn a_browser_is_known_by_any_of_its_headers() {
        let browser = |name: &'static str, value: &str| {
            let name = axum::http::HeaderName::from_static(name);
            is_browser(&HeaderMap::from_iter([(name, value.parse().unwrap())]))
        };
        assert!(browser("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"));
        assert!(browser("sec-fetch-site", "none"));
        assert!(browser("referer", "http://evil.example/"));
        assert!(browser("origin", "null"));
        assert!(browser("accept-language", "en"));
        assert!(!browser("user-agent", "python-requests/2.34.2"));
        assert!(!browser("accept", "*/*"));
    }

    #[test]
    fn only_pages_of_our_own_and_programs_pass() {
        assert!(foreign("https://evil.example"));
        assert!(foreign("http://localhost:8080"));
        assert!(foreign("null"));
        assert!(!foreign("http://localhost:7200"));
        assert!(!is_foreign(&HeaderMap::new()));
    }

    #[test]
    fn a_host_has_the_names_that_stand_beside_its_own() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tLab.example.org lab # evil.example lab\n\
                     192.0.2.1 lab.evil.example\n";
        assert_eq!(names_beside("lab", hosts), ["lab", "Lab.example.org", "lab"]);
        assert_eq!(names_beside("other", hosts), ["other"]);
    }

    #[test]
    fn names_that_somebody_can_make_lead_here_are_not_ours() {
        let here =
            |host: &str| is_sent_here(&[(HOST, host.parse().unwrap())].into_iter().collect(), &[]);
        for ours in ["localhost", "LocalHost:7100", "127.0.0.1:7100", "[::1]:7100", "[::1]"] {
            assert!(here(ours), "{ours}");
        }
        let uname = rustix::system::uname();
        assert!(here(uname.nodename().to_str().unwrap()) && is_sent_here(&HeaderMap::new(), &[]));
        for other in
            ["evil.example", "evil.example:7100", "localhost.evil.example", "127.0.0.1.nip.io", ""]
        {
            assert!(!here(other), "{other}");
        }
        let host = HeaderMap::from_iter([(HOST, "Lab.example:7100".parse().unwrap())]);
        assert!(is_sent_here(&host, &["lab.example".parse().unwrap()]));
        assert!(!is_sent_here(&host, &["example".parse().unwrap()]));
    }
}
