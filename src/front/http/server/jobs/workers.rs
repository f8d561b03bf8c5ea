//! What workers ask for, and what they send.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::super::{ApiError, Ending, Params};
use super::super::{Answer, Body, Doors, read};
use super::number;
use crate::client::ErrorBody;
use crate::model::{Failure, Kind, LogHeld, Name, WorkEnd, WorkerHello, WorkerInfo, WorkerOrders};
use crate::server::Server;

#[derive(Debug, Deserialize)]
pub(in crate::front::http::server) struct Piece {
    board: String,
    offset: u64,
}

/// The workers that were heard of.
#[utoipa::path(get, path = "/workers", responses((status = 200, body = Vec<WorkerInfo>)))]
pub(in crate::front::http::server) async fn list(
    State(server): State<Server>,
) -> Json<Vec<WorkerInfo>> {
    Json(server.workers().await)
}

/// A worker says that it lives and what it has, and is answered when there is something to do for it, or
/// after 20 s at most. What either does not know of the other's words it leaves alone.
#[utoipa::path(post, path = "/workers/{worker}/poll", params(("worker" = String, Path)),
    request_body = WorkerHello, responses(
    (status = 200, body = WorkerOrders),
    (status = 409, body = ErrorBody, description = "another worker of this name is there"),
))]
pub(in crate::front::http::server) async fn poll(
    State(server): State<Server>,
    Path(worker): Path<String>,
    Extension(doors): Extension<Doors>,
    Extension(Ending(ending)): Extension<Ending>,
    body: Body,
) -> Answer<WorkerOrders> {
    let hello: WorkerHello = read(body, r#"{"instance":"4711","number":1,"slots":4,"jobs":[]}"#)?;
    let name = name(&worker)?;
    server.greet(&name, &hello).await?;
    let orders = tokio::select! {
        orders = server.wait_for_orders(&name, &hello) => orders?,
        () = ending.cancelled() => server.no_orders(hello.number),
    };
    if orders.start.iter().any(|work| work.script.is_some()) {
        // Its token lets in from now on.
        doors.refresh(&server).await?;
    }
    Ok(Json(orders))
}

/// Takes bytes of a job's log that begin at an offset. What is known already is left out; the answer says how
/// much there is, and so where to go on. Without any bytes it only says that.
#[utoipa::path(post, path = "/workers/{worker}/jobs/{id}/log", params(
    ("worker" = String, Path),
    ("id" = u64, Path),
    ("board" = String, Query),
    ("offset" = u64, Query),
), request_body(content = String, content_type = "application/x-ndjson"), responses(
    (status = 200, body = LogHeld),
    (status = 409, body = ErrorBody, description = "the job is not that worker's"),
))]
pub(in crate::front::http::server) async fn log(
    State(server): State<Server>,
    Path((worker, id)): Path<(String, String)>,
    Params(Piece { board, offset }): Params<Piece>,
    body: Body,
) -> Answer<LogHeld> {
    let bytes = body.map_err(|rejection| {
        ApiError::new(rejection.status(), Failure::new(Kind::User, rejection.body_text()))
    })?;
    let (worker, id) = (name(&worker)?, number(&id)?);
    Ok(Json(server.take_log(&worker, id, &board, offset, bytes.to_vec()).await?))
}

/// A job has ended. Its log has to be here.
#[utoipa::path(post, path = "/workers/{worker}/jobs/{id}/end", params(
    ("worker" = String, Path),
    ("id" = u64, Path),
), request_body = WorkEnd, responses(
    (status = 200),
    (status = 409, body = ErrorBody, description = "the job is not that worker's, or its log is not all here"),
))]
pub(in crate::front::http::server) async fn end(
    State(server): State<Server>,
    Path((worker, id)): Path<(String, String)>,
    Extension(doors): Extension<Doors>,
    body: Body,
) -> Answer<()> {
    let end: WorkEnd = read(body, r#"{"logs":{"panda01":4711}}"#)?;
    server.end_work(&name(&worker)?, number(&id)?, &end).await?;
    doors.refresh(&server).await?;
    Ok(Json(()))
}

fn name(text: &str) -> Result<Name, ApiError> {
    text.parse().map_err(|error: crate::model::name::NameError| {
        Failure::new(Kind::User, format!("the worker's name: {error}")).into()
    })
}
