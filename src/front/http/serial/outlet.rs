//! `/consoles/{name}/outlet`: the board's outlet for those who are at its console, as pages are. It is
//! `lava-power` that switches, and that says no.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::access::missing;
use super::super::{ApiError, Peer};
use super::consoles::Consoles;
use super::json;
use crate::front::board_power::AtConsole;
use crate::front::hand_over::HandOver;
use crate::model::{Failure, Kind, Name, PowerRequest, Report, Right, Verb};

/// The URLs of the outlets that the consoles are configured with.
#[derive(Debug, Clone, Default)]
pub struct Outlets(Arc<RwLock<BTreeMap<Name, String>>>);

impl Outlets {
    pub fn set(&self, outlets: BTreeMap<Name, String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = outlets;
    }

    fn of(&self, name: &Name) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// What is to be done, and by whom.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Without authentication this is who the client says it is.
    user: Option<String>,
    /// The client's session on the console: who holds it, may switch the board.
    session: Option<u64>,
    reason: Option<String>,
    /// Also when somebody else holds the board. Needs a reason.
    #[serde(default)]
    force: bool,
}

#[utoipa::path(get, path = "/consoles/{name}/outlet", params(("name" = String, Path)),
    responses((status = 200, description = "as its PDU says now", body = Report),
              (status = 400, description = "the board has no outlet"),
              (status = 502, description = "lava-power or the PDU does not answer")))]
pub(super) async fn status(
    consoles: Consoles,
    Path(name): Path<String>,
    Extension(outlets): Extension<Outlets>,
    Extension(hand_over): Extension<HandOver>,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Json<Report>, ApiError> {
    let switch = Switch::default();
    operate(&consoles, (&name, Verb::Status), switch, (&outlets, &hand_over), &peer).await
}

#[utoipa::path(post, path = "/consoles/{name}/outlet/{verb}", request_body = Switch,
    params(("name" = String, Path), ("verb" = String, Path, description = "on, off or cycle")),
    responses((status = 200, description = "it is done", body = Report),
              (status = 409, description = "somebody else holds the board; the message tells who"),
              (status = 502, description = "it failed, or lava-power does not answer")))]
pub(super) async fn switch(
    consoles: Consoles,
    Path((name, verb)): Path<(String, String)>,
    Extension(outlets): Extension<Outlets>,
    Extension(hand_over): Extension<HandOver>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Bytes,
) -> Result<Json<Report>, ApiError> {
    let verb = match verb.as_str() {
        "on" => Verb::On,
        "off" => Verb::Off,
        "cycle" => Verb::Cycle,
        _ => {
            return Err(ApiError::not_found(format!(
                "an outlet is switched on, off or cycle, not {verb:?}"
            )));
        }
    };
    let switch: Switch = if body.is_empty() { Switch::default() } else { json(&body)? };
    if switch.force {
        let console = consoles.find(&name)?;
        let (caller, name) = (consoles.caller(), console.name().as_str());
        if !caller.may(Right::Control, name) {
            return Err(missing(caller, caller.on(name), Right::Control, name));
        }
        if switch.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            let failure =
                Failure::new(Kind::User, "to force it needs a reason, which everybody sees");
            return Err(failure.into());
        }
    }
    operate(&consoles, (&name, verb), switch, (&outlets, &hand_over), &peer).await
}

async fn operate(
    consoles: &Consoles,
    (name, verb): (&str, Verb),
    switch: Switch,
    (outlets, hand_over): (&Outlets, &HandOver),
    peer: &str,
) -> Result<Json<Report>, ApiError> {
    let console = consoles.find(name)?;
    let Switch { user: said, session, reason, force } = switch;
    let user = consoles.caller().user(said.clone(), || "http".into());
    let behalf = consoles.caller().behalf(console.name(), peer)?;
    // A session is somebody's own only by the name that they have there.
    let rows = console.status().sessions;
    let own = |id: &u64| rows.iter().any(|row| row.session == *id && row.user == user);
    let session = session.filter(own);
    // For whom it is, lava-power knows; then it is told what else they call themselves.
    let named = if behalf.is_some() { said } else { Some(user.clone()) };
    let somebody = AtConsole { console: &console, user: &user, session, behalf };
    let request = PowerRequest { user: named, reason, force };
    let url = outlets.of(console.name());
    let report = somebody.operate(verb, url.as_deref(), request, hand_over).await;
    report.map(Json).map_err(|failure| match failure.kind {
        // Whatever is wrong with it is not wrong with the request.
        Kind::Config => ApiError::new(StatusCode::BAD_GATEWAY, failure),
        _ => failure.into(),
    })
}
