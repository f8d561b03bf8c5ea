//! What each request to `lava-power` needs. What is not here is not let in.

use super::super::access::{Need, Row};
use crate::model::Right;

/// The routes. To switch a board that somebody else holds, by force, needs control.
pub(super) const TABLE: &[Row] = &[
    ("GET", "/healthz", Need::Nothing),
    ("GET", "/openapi.json", Need::Each(Right::See)),
    ("GET", "/metrics", Need::Each(Right::See)),
    ("GET", "/outlets", Need::Each(Right::See)),
    ("GET", "/outlets/{name}", Need::Named(Right::See)),
    ("GET", "/outlets/{name}/meter", Need::Named(Right::See)),
    ("POST", "/outlets/{name}/on", Need::Named(Right::Write)),
    ("POST", "/outlets/{name}/off", Need::Named(Right::Write)),
    ("POST", "/outlets/{name}/cycle", Need::Named(Right::Write)),
    ("GET", "/outlets/{name}/history", Need::Named(Right::See)),
    ("GET", "/leases", Need::Each(Right::See)),
    ("GET", "/leases/{name}", Need::Named(Right::See)),
    ("POST", "/leases/{name}", Need::Named(Right::Write)),
    ("DELETE", "/leases/{name}", Need::Named(Right::Write)),
    ("GET", "/labgrid/outlets/{name}", Need::Named(Right::See)),
    ("PUT", "/labgrid/outlets/{name}", Need::Named(Right::Write)),
    ("GET", "/labgrid/outlets/{name}/{value}", Need::Named(Right::Write)),
    // What a port is about is found out behind the guard, and asked there.
    ("GET", "/labgrid/pdus/{pdu}/{port}", Need::Each(Right::See)),
    ("PUT", "/labgrid/pdus/{pdu}/{port}", Need::Each(Right::Write)),
    ("GET", "/labgrid/pdus/{pdu}/{port}/{value}", Need::Each(Right::Write)),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_has_its_right_and_is_told_with_it() {
        crate::front::http::access::table::check("power", super::TABLE);
    }
}
