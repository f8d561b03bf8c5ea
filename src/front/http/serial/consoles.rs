//! The consoles of the process, as far as the one who asks may have to do with them.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::super::ApiError;
use super::super::access::{Caller, Need, missing};
use crate::console::{Console, Roster, Status};
use crate::model::{Failure, Kind, Name, Right};

/// All consoles. Nobody gets at them but through [`Consoles`].
#[derive(Debug, Clone)]
pub(super) struct AllConsoles(Arc<Roster>);

/// The consoles on which the caller has the right that the request needs.
#[derive(Debug)]
pub(super) struct Consoles {
    roster: Arc<Roster>,
    caller: Caller,
    need: Right,
}

impl AllConsoles {
    pub(super) fn new(roster: Arc<Roster>) -> Self {
        Self(roster)
    }
}

impl Consoles {
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Waits until the caller may not do any more with a console what the request needs, and gives the
    /// refusal.
    pub(super) async fn revoked(&self, name: &Name) -> ApiError {
        let mut standing = self.caller.standing(name.clone());
        loop {
            let has = standing.changed().await;
            if has < Some(self.need) {
                return missing(&self.caller, has, self.need, name.as_str());
            }
        }
    }

    /// All of them, in the order of their names.
    pub(super) fn all(&self) -> Vec<Arc<Console>> {
        self.with(self.need)
    }

    /// A console as the caller is told of it: what it prints is for those who may spy.
    pub(super) fn status(&self, console: &Console) -> Status {
        let status = console.status();
        if self.caller.may(Right::Spy, console.name().as_str()) {
            return status;
        }
        Status { health: status.health.without_lines(), ..status }
    }

    /// The console of a name.
    ///
    /// # Errors
    /// 404 when there is none, or none that the caller may see; 403 when they may only do less with it.
    pub(super) fn find(&self, name: &str) -> Result<Arc<Console>, ApiError> {
        let has = self.caller.on(name);
        let found = self.roster.get(name).filter(|_| has >= Some(Right::See));
        let Some(console) = found else {
            let all = self.with(Right::See);
            let known = all.iter().map(|console| console.name().as_str());
            let near = Name::nearest(name, known).map(|near| format!("; did you mean {near:?}?"));
            let near = near.unwrap_or_default();
            return Err(ApiError::not_found(format!("there is no console {name:?}{near}")));
        };
        if has < Some(self.need) {
            return Err(missing(&self.caller, has, self.need, name));
        }
        Ok(console)
    }

    fn with(&self, right: Right) -> Vec<Arc<Console>> {
        let mut all = self.roster.all();
        all.retain(|console| self.caller.may(right, console.name().as_str()));
        all
    }
}

impl FromRequestParts<AllConsoles> for Consoles {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, all: &AllConsoles) -> Result<Self, ApiError> {
        let unguarded = || Failure::new(Kind::Bug, "a request that nobody has let in");
        let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(unguarded)?;
        let need = match parts.extensions.get::<Need>() {
            Some(Need::Named(right) | Need::Each(right) | Need::All(right)) => *right,
            Some(Need::Nothing | Need::Worker) | None => return Err(unguarded().into()),
        };
        Ok(Self { roster: all.0.clone(), caller, need })
    }
}
