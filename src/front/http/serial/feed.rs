//! `GET /feed`: all consoles at a glance, for as long as somebody looks.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::{ApiError, Ending, Params};
use super::consoles::Consoles;
use crate::console::Console;
use crate::model::{Failure, Kind, Name, Right, units};
use crate::wire::feed::{MAX_LAST_LINE, Row, Told};
use crate::wire::plain::last_line;

/// How often it is looked what has changed, when nothing else is asked for.
const EVERY: Duration = Duration::from_secs(1);
/// The least and the most that can be asked for.
const LIMITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// How long nothing is said while nothing changes.
const SILENCE: Duration = Duration::from_secs(5);
/// So many of the newest bytes are looked through for the last line.
const TAIL: usize = 2048;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Query {
    /// How often it is looked what has changed, 100ms to 60s; every second when left out.
    every: Option<String>,
}

/// A client that looks.
struct Watching {
    consoles: Consoles,
    ending: CancellationToken,
    every: Duration,
    next: Instant,
    /// When something was said last.
    said: Instant,
    /// As the client knows them.
    known: BTreeMap<Name, Row>,
}

/// All consoles, and then each that has changed, until the client leaves. One request for however many
/// consoles there are.
#[utoipa::path(get, path = "/feed", params(Query),
    responses((status = 200, description = "each console, then those that change; one JSON object a \
                                            line, and an empty line while nothing changes",
               content_type = "application/x-ndjson", body = Told)))]
pub(super) async fn feed(
    consoles: Consoles,
    Params(query): Params<Query>,
    Extension(Ending(ending)): Extension<Ending>,
) -> Result<impl IntoResponse, ApiError> {
    let wrong = |what| Failure::new(Kind::User, format!("every: {what}"));
    let every = query.every.as_deref().map(units::duration).transpose().map_err(wrong)?;
    let every = every.unwrap_or(EVERY).clamp(LIMITS.0, LIMITS.1);
    let now = Instant::now();
    let known = BTreeMap::new();
    let watching = Watching { consoles, ending, every, next: now, said: now, known };
    let body = futures_util::stream::try_unfold(watching, next);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)))
}

/// What has changed. `None` when the daemon ends.
async fn next(mut watching: Watching) -> io::Result<Option<(Bytes, Watching)>> {
    let mut text = Vec::new();
    while text.is_empty() {
        tokio::select! {
            () = watching.ending.cancelled() => return Ok(None),
            () = sleep_until(watching.next) => {}
        }
        watching.next = Instant::now() + watching.every;
        watching.look(&mut text).await?;
        if text.is_empty() && watching.said.elapsed() >= SILENCE {
            text.push(b'\n');
        }
    }
    watching.said = Instant::now();
    Ok(Some((text.into(), watching)))
}

impl Watching {
    async fn look(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let mut known = std::mem::take(&mut self.known);
        for console in self.consoles.all() {
            let before = known.remove(console.name());
            let now = self.row(&console, before.as_ref()).await?;
            if before.as_ref() != Some(&now) {
                add(text, &Told::Console(Box::new(now.clone())));
            }
            self.known.insert(now.console.clone(), now);
        }
        for console in known.into_keys() {
            add(text, &Told::Gone { console });
        }
        Ok(())
    }

    async fn row(&self, console: &Console, before: Option<&Row>) -> io::Result<Row> {
        let status = self.consoles.status(console);
        let health = status.health;
        let silent = before.filter(|before| before.head == status.head);
        let now_us = units::now_us();
        let heard_us = || health.idle_ms.map(|idle_ms| now_us.saturating_sub(idle_ms * 1000));
        let spies = self.consoles.caller().may(Right::Spy, status.name.as_str());
        let last_line = match silent {
            _ if !spies => None,
            Some(Row { last_line: Some(known), .. }) => Some(known.clone()),
            _ => Some(last_line(&console.tail(TAIL).await?, MAX_LAST_LINE)),
        };
        Ok(Row {
            port: status.state,
            head: status.head,
            heard_us: silent.map_or_else(heard_us, |before| before.heard_us),
            bytes_per_s: health.bytes_per_s,
            last_line,
            attached: status.sessions.into_iter().map(|session| session.user).collect(),
            holder: status.holder.map(|holder| holder.user),
            boot: health.boot,
            trouble: health.trouble,
            mismatch: health.mismatch,
            power: console.power_told(),
            capture_error: status.capture_error,
            console: status.name,
        })
    }
}

fn add(text: &mut Vec<u8>, told: &Told) {
    // Plain structs of numbers and texts cannot fail to serialize.
    text.extend(serde_json::to_vec(told).unwrap_or_default());
    text.push(b'\n');
}
