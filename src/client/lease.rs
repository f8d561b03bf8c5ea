//! Leases of boards, as `lava-power` keeps them, and as `lava-serial` heeds them.

use super::{OutletRef, percent_encoded};
use crate::model::{Failure, Lease, LeaseRequest};

/// Leases the outlet's board, or prolongs the caller's lease.
///
/// # Errors
/// The daemon's own failure, so when somebody else has it; `Kind::Lab` when it does not answer. So for
/// all here.
pub async fn take(outlet: &OutletRef, request: &LeaseRequest) -> Result<Lease, Failure> {
    outlet.http().post(&path(outlet), request).await
}

/// Who has leased it.
pub async fn lease(outlet: &OutletRef) -> Result<Option<Lease>, Failure> {
    outlet.http().get(&path(outlet)).await
}

/// Ends the user's lease, or with a reason whoever's it is; gives what has ended.
pub async fn release(
    outlet: &OutletRef,
    user: &str,
    reason: Option<&str>,
) -> Result<Option<Lease>, Failure> {
    let mut path = format!("{}?user={}", path(outlet), percent_encoded(user));
    if let Some(reason) = reason {
        path.push_str(&format!("&force=true&reason={}", percent_encoded(reason)));
    }
    outlet.http().delete(&path).await
}

/// `/leases/panda01` of `/outlets/panda01`, and `/consoles/panda01/lease`.
fn path(outlet: &OutletRef) -> String {
    match outlet.path.rsplit_once("outlets/") {
        Some((before, name)) => format!("{before}leases/{name}"),
        None if outlet.path.contains("consoles/") => format!("{}/lease", outlet.path),
        None => format!("/leases/{}", outlet.name()),
    }
}
