//! Keeps web pages out: a browser that shows a stranger's page can reach our loopback, too.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::ApiError;
use crate::model::{Failure, Kind};

/// Refuses what comes from a page of somebody else: browsers say where a page is from in every
/// request that could do something. Programs say nothing, or our own address.
pub async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        let failure = Failure::new(Kind::Refused, "a web page of somebody else may not do this");
        return ApiError::new(StatusCode::FORBIDDEN, failure).into_response();
    }
    next.run(request).await
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
}
