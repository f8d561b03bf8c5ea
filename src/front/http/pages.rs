//! Keeps web pages out: a browser that shows a stranger's page can reach our loopback, too.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::ApiError;
use super::access::last;
use crate::model::{Failure, Kind};

/// Refuses what comes from a page of somebody else: browsers say where a page is from in every
/// request that could do something. Programs say nothing, or our own address.
pub async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        let failure = Failure::new(Kind::Refused, "a web page of somebody else may not do this");
        return last(ApiError::new(StatusCode::FORBIDDEN, failure).into_response());
    }
    next.run(request).await
}

/// Whether a request was sent to a name that is this host's by itself: a stranger's name can be made to
/// lead here, and a browser then takes us for the stranger. Programs that tell no name are none.
pub(super) fn is_sent_here(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(port).map_or(host, |(name, _)| name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || own_name().is_some_and(|own| name.eq_ignore_ascii_case(&own))
}

/// What this host is called.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
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
    fn only_pages_of_our_own_and_programs_pass() {
        assert!(foreign("https://evil.example"));
        assert!(foreign("http://localhost:8080"));
        assert!(foreign("null"));
        assert!(!foreign("http://localhost:7200"));
        assert!(!is_foreign(&HeaderMap::new()));
    }

    #[test]
    fn names_that_somebody_can_make_lead_here_are_not_ours() {
        let here =
            |host: &str| is_sent_here(&[(HOST, host.parse().unwrap())].into_iter().collect());
        for ours in ["localhost", "LocalHost:7100", "127.0.0.1:7100", "[::1]:7100", "[::1]"] {
            assert!(here(ours), "{ours}");
        }
        assert!(here(&own_name().unwrap()) && is_sent_here(&HeaderMap::new()));
        for other in
            ["evil.example", "evil.example:7100", "localhost.evil.example", "127.0.0.1.nip.io", ""]
        {
            assert!(!here(other), "{other}");
        }
    }
}
