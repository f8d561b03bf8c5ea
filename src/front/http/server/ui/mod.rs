//! The pages of a lab for browsers. Each is made of what the same caller is told by the API, by the same
//! functions, so that a page shows nothing that the API would not; what is done on a page, its script asks of the
//! API. Results over time, comparison and administration would be further files here.

mod board;
mod boards;
mod images;
mod job;
mod jobs;
mod problem;
mod queue;
mod rights;
mod shown;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use super::super::access::{Access, Caller, Guard, guard};
use super::By;
use crate::client::percent_encoded;
use crate::front::web;
use crate::model::{Failure, Kind, Right};
use crate::server::Server;
use problem::Problem;

type Page = Result<Response, Problem>;

/// The pages, to be merged into what the server serves.
pub(super) fn pages(access: &Access) -> Router<Server> {
    Router::new()
        .route("/", get(async || Redirect::to("/ui/boards")))
        .route("/ui/boards", get(boards::page))
        .route("/ui/boards/{name}", get(board::page))
        .route("/ui/boards/{name}/console", get(async || web::console()))
        .route("/ui/queue", get(queue::page))
        .route("/ui/jobs", get(jobs::page))
        .route("/ui/jobs/{id}", get(job::page))
        .route("/ui/images", get(images::page))
        .layer(axum::middleware::from_fn_with_state(
            Guard { access: access.clone(), table: rights::TABLE, thing: "board" },
            guard,
        ))
        .layer(axum::middleware::from_fn(readable))
}

/// Shows who is not known the login, and everybody else what was refused as a page.
async fn readable(request: Request, next: Next) -> Response {
    let here = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED => {
            Redirect::to(&format!("/login?to={}", percent_encoded(&here))).into_response()
        }
        status if status.is_client_error() && !problem::is_page(&response) => {
            problem::of_refusal(status, response).await
        }
        _ => response,
    }
}

/// What every page has above it.
#[derive(Debug)]
struct Top {
    title: String,
    /// Which of the pages it is.
    here: &'static str,
    /// The name that was proved; where nobody logs in, the page asks for one.
    user: Option<String>,
    /// Whether they may have boards, and whether they have control of everything.
    may_write: bool,
    controls: bool,
}

impl Top {
    fn new(here: &'static str, title: impl Into<String>, caller: &Caller) -> Self {
        Self {
            title: title.into(),
            here,
            user: caller.name(),
            may_write: caller.on_any() >= Some(Right::Write),
            controls: caller.on_all() >= Some(Right::Control),
        }
    }

    /// `page` in the list of pages, for who hears it.
    fn current(&self, page: &str) -> &'static str {
        if self.here == page { "page" } else { "false" }
    }

    fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }
}

fn made(page: &impl Template) -> Page {
    let html = page.render().map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    Ok(web::made(html))
}
