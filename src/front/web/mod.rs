//! The pages for browsers: a list of consoles, one console, and a login. They are files that have nothing of
//! the lab in them; what they show they ask for as any other client does, in the name of who has logged in. Those
//! of `lava-server`, in `page/lab`, are templates: `front/http/server/ui` makes pages of them.

mod rights;
mod session;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::http::ApiError;
use super::http::access::{Access, Guard, guard};

/// The largest body of a request, in bytes: a token.
const MAX_BODY: usize = 4096;

/// Scripts and styles are files of ours; nothing else is loaded, asked or sent anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What the pages need beside themselves: name, kind, text.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("common.js", SCRIPT, include_str!("page/common.js")),
    ("list.js", SCRIPT, include_str!("page/list.js")),
    ("login.js", SCRIPT, include_str!("page/login.js")),
    ("console.js", SCRIPT, include_str!("page/console.js")),
    ("keys.js", SCRIPT, include_str!("page/keys.js")),
    ("past.js", SCRIPT, include_str!("page/past.js")),
    ("power.js", SCRIPT, include_str!("page/power.js")),
    ("rows.js", SCRIPT, include_str!("page/rows.js")),
    ("screen.js", SCRIPT, include_str!("page/screen.js")),
    ("speech.js", SCRIPT, include_str!("page/speech.js")),
    ("lab.css", "text/css; charset=utf-8", include_str!("page/lab/lab.css")),
    ("lab.js", SCRIPT, include_str!("page/lab/lab.js")),
    ("acts.js", SCRIPT, include_str!("page/lab/acts.js")),
    ("boards.js", SCRIPT, include_str!("page/lab/boards.js")),
    ("board.js", SCRIPT, include_str!("page/lab/board.js")),
    ("feed.js", SCRIPT, include_str!("page/lab/feed.js")),
    ("images.js", SCRIPT, include_str!("page/lab/images.js")),
    ("keyboard.js", SCRIPT, include_str!("page/lab/keyboard.js")),
    ("live.js", SCRIPT, include_str!("page/lab/live.js")),
    ("log.js", SCRIPT, include_str!("page/lab/log.js")),
    ("lines.js", SCRIPT, include_str!("page/lab/lines.js")),
    ("sha256.js", SCRIPT, include_str!("page/lab/sha256.js")),
    ("hash.js", SCRIPT, include_str!("page/lab/hash.js")),
];

/// The pages of `lava-serial`, to be merged into what it serves.
pub(super) fn pages<S: Clone + Send + Sync + 'static>(access: Access) -> Router<S> {
    let consoles = Router::new()
        .route("/", get(async || page(HTML, include_str!("page/list.html"))))
        .route("/view/{name}", get(async || console()));
    guarded(consoles.merge(common()), access)
}

/// What the pages of another daemon need beside themselves: the login, scripts and styles.
pub(super) fn beside_pages<S: Clone + Send + Sync + 'static>(access: Access) -> Router<S> {
    guarded(common(), access)
}

/// The page of a console: its script knows by the address whose.
pub(super) fn console() -> Response {
    page(HTML, include_str!("page/console.html"))
}

/// A page that was made of what somebody may see, with what all pages are sent with.
pub(super) fn made(html: String) -> Response {
    page(HTML, html)
}

fn common<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/login", get(async || page(HTML, include_str!("page/login.html"))))
        .route("/web/{file}", get(file))
        .route("/session", get(session::session).post(session::log_in).delete(session::log_out))
}

fn guarded<S: Clone + Send + Sync + 'static>(pages: Router<S>, access: Access) -> Router<S> {
    pages.layer(axum::extract::DefaultBodyLimit::max(MAX_BODY)).layer(
        axum::middleware::from_fn_with_state(
            Guard { access, table: rights::TABLE, thing: "page" },
            guard,
        ),
    )
}

async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    let found = FILES.iter().find(|(file, _, _)| *file == name);
    let (_, kind, text) = found.ok_or_else(|| ApiError::not_found("there is no such page"))?;
    Ok(page(kind, *text))
}

fn page(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // The daemon may be another one the next time.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_no_script_or_style_of_their_own_and_load_only_what_is_there() {
        for page in [
            include_str!("page/list.html"),
            include_str!("page/console.html"),
            include_str!("page/login.html"),
            include_str!("page/lab/base.html"),
            include_str!("page/lab/boards.html"),
            include_str!("page/lab/board.html"),
            include_str!("page/lab/queue.html"),
            include_str!("page/lab/jobs.html"),
            include_str!("page/lab/job.html"),
            include_str!("page/lab/images.html"),
            include_str!("page/lab/problem.html"),
        ] {
            let handles = |rest: &str| {
                rest.split_once('=')
                    .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase()))
            };
            assert!(!page.contains("<style") && !page.contains(" style="));
            assert!(!page.contains("|safe") && !page.contains("| safe"));
            assert!(!page.split(" on").skip(1).any(handles));
            for link in page.split("/web/").skip(1) {
                let name = link.split('"').next().unwrap();
                assert!(FILES.iter().any(|(file, _, _)| *file == name), "{name}");
            }
            assert!(
                page.split("<script")
                    .skip(1)
                    .all(|script| script.starts_with(" type=\"module\" src=\"/web/"))
            );
        }
    }

    #[test]
    fn scripts_make_text_and_never_markup() {
        for (name, _, text) in FILES {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "srcdoc",
            ] {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
    }
}
