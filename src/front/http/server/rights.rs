//! What each request to `lava-server` needs. What is not here is not let in.

use super::super::access::{Need, Row};
use crate::model::Right;

/// The routes. Whose request or lease it is, is looked at behind the guard; somebody else's is ended by force
/// alone, with control of all of its boards. So it is with images and uploads, which are their users'.
pub(super) const TABLE: &[Row] = &[
    ("GET", "/healthz", Need::Nothing),
    ("GET", "/openapi.json", Need::Each(Right::See)),
    ("GET", "/metrics", Need::Each(Right::See)),
    ("GET", "/daemons", Need::All(Right::See)),
    ("POST", "/daemons", Need::All(Right::Control)),
    ("DELETE", "/daemons", Need::All(Right::Control)),
    ("GET", "/consoles", Need::Each(Right::See)),
    ("GET", "/outlets", Need::Each(Right::See)),
    ("GET", "/boards", Need::Each(Right::See)),
    ("GET", "/boards/{name}", Need::Named(Right::See)),
    ("PUT", "/boards/{name}", Need::Named(Right::Control)),
    ("DELETE", "/boards/{name}", Need::Named(Right::Control)),
    ("POST", "/boards/{name}/health", Need::Named(Right::Control)),
    ("POST", "/boards/{name}/identity", Need::Named(Right::Write)),
    ("POST", "/boards/{name}/maintenance", Need::Named(Right::Control)),
    ("GET", "/boards/{name}/history", Need::Named(Right::See)),
    ("POST", "/boards/{name}/check", Need::Named(Right::Control)),
    ("POST", "/boards/{name}/boot", Need::Named(Right::Write)),
    // Whose job it is for shows its pass.
    ("GET", "/jobs/{id}/images/{sha256}", Need::Nothing),
    ("GET", "/boards/{name}/console/screen", Need::Named(Right::Spy)),
    ("GET", "/boards/{name}/console/attach", Need::Named(Right::Spy)),
    ("GET", "/boards/{name}/console/lines", Need::Named(Right::Spy)),
    ("GET", "/boards/{name}/console/offset", Need::Named(Right::Spy)),
    ("GET", "/boards/{name}/console/events", Need::Named(Right::Spy)),
    ("GET", "/boards/{name}/console/outlet", Need::Named(Right::See)),
    ("POST", "/boards/{name}/console/outlet/{verb}", Need::Named(Right::Write)),
    ("GET", "/feed", Need::Each(Right::See)),
    ("GET", "/jobs", Need::Each(Right::See)),
    ("POST", "/jobs", Need::Each(Right::Write)),
    ("GET", "/jobs/{id}", Need::Each(Right::See)),
    ("GET", "/jobs/{id}/definition", Need::Each(Right::See)),
    ("POST", "/jobs/{id}/cancel", Need::Each(Right::Write)),
    ("POST", "/jobs/{id}/resubmit", Need::Each(Right::Write)),
    ("GET", "/jobs/{id}/log", Need::Each(Right::See)),
    ("GET", "/jobs/{id}/log/follow", Need::Each(Right::See)),
    ("GET", "/jobs/{id}/log/lines", Need::Each(Right::See)),
    ("GET", "/jobs/{id}/results", Need::Each(Right::See)),
    ("GET", "/ci", Need::Each(Right::See)),
    ("GET", "/ci/{name}", Need::Each(Right::See)),
    ("PUT", "/ci/{name}", Need::Each(Right::Write)),
    ("DELETE", "/ci/{name}", Need::Each(Right::Write)),
    ("POST", "/ci/{name}/run", Need::Each(Right::Write)),
    ("GET", "/workers", Need::Each(Right::See)),
    ("POST", "/workers/{worker}/poll", Need::Worker),
    ("POST", "/workers/{worker}/jobs/{id}/log", Need::Worker),
    ("POST", "/workers/{worker}/jobs/{id}/end", Need::Worker),
    ("GET", "/whoami", Need::Each(Right::See)),
    ("GET", "/users", Need::All(Right::Control)),
    ("PUT", "/users/{user}", Need::All(Right::Control)),
    ("DELETE", "/users/{user}", Need::All(Right::Control)),
    ("POST", "/users/{user}/tokens", Need::All(Right::Control)),
    ("DELETE", "/users/{user}/tokens/{token}", Need::All(Right::Control)),
    ("GET", "/groups", Need::All(Right::Control)),
    ("PUT", "/groups/{group}", Need::All(Right::Control)),
    ("DELETE", "/groups/{group}", Need::All(Right::Control)),
    ("GET", "/events", Need::Each(Right::See)),
    ("GET", "/requests", Need::Each(Right::See)),
    ("POST", "/requests", Need::Each(Right::Write)),
    ("GET", "/requests/{id}", Need::Each(Right::See)),
    ("DELETE", "/requests/{id}", Need::Each(Right::Write)),
    ("GET", "/requests/{id}/follow", Need::Each(Right::See)),
    ("POST", "/requests/{id}/heartbeat", Need::Each(Right::Write)),
    ("GET", "/leases", Need::Each(Right::See)),
    ("POST", "/leases/{id}/extend", Need::Each(Right::Write)),
    ("POST", "/leases/{id}/share", Need::Each(Right::Write)),
    ("POST", "/leases/{id}/unshare", Need::Each(Right::Write)),
    ("POST", "/leases/{id}/give", Need::Each(Right::Write)),
    ("GET", "/images", Need::Each(Right::See)),
    ("GET", "/images/{name}", Need::Each(Right::See)),
    ("PUT", "/images/{name}", Need::Each(Right::Write)),
    ("DELETE", "/images/{name}", Need::Each(Right::Write)),
    ("GET", "/images/{name}/content", Need::Each(Right::See)),
    ("POST", "/uploads", Need::Each(Right::Write)),
    ("GET", "/uploads/{id}", Need::Each(Right::Write)),
    ("PATCH", "/uploads/{id}", Need::Each(Right::Write)),
    ("DELETE", "/uploads/{id}", Need::Each(Right::Write)),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_has_its_right_and_is_told_with_it() {
        crate::front::http::access::table::check("server", super::TABLE);
    }
}
