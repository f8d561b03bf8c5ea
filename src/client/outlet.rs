//! One board's outlet, as `lava-power` serves it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Http, OutletRef, resource::percent_encoded};
use crate::model::{Failure, Lease, Name, OutletInfo, PowerRequest, Report, Verb};

/// How long an operation may take: a cycle waits, and others may be queued before it.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(120);

/// Carries out a verb on an outlet. [`Verb::Status`] asks the PDU and changes nothing.
///
/// # Errors
/// The daemon's own failure; `Kind::Lab` when it does not answer.
pub async fn operate(
    outlet: &OutletRef,
    verb: Verb,
    request: &PowerRequest,
) -> Result<Report, Failure> {
    let http = outlet.http().with_timeout(OPERATION_TIMEOUT);
    match verb {
        Verb::Status => {
            let user = request.user.as_ref().map(|user| format!("?user={}", percent_encoded(user)));
            http.get(&format!("{}{}", outlet.path, user.unwrap_or_default())).await
        }
        Verb::On | Verb::Off | Verb::Cycle => {
            http.post(&format!("{}/{verb}", outlet.path), request).await
        }
    }
}

/// Who has leased which board, of all that a `lava-power` switches.
///
/// # Errors
/// As [`operate`].
pub async fn leases(daemon: &Http) -> Result<BTreeMap<Name, Lease>, Failure> {
    daemon.get("/leases").await
}

/// How `lava-power` knows the outlet, without asking its PDU.
///
/// # Errors
/// As [`operate`].
pub async fn info(outlet: &OutletRef) -> Result<Option<OutletInfo>, Failure> {
    let collection = outlet.path.rsplit_once('/').map_or("", |(collection, _)| collection);
    let outlets: Vec<OutletInfo> = outlet.http().get(collection).await?;
    Ok(outlets.into_iter().find(|info| info.name.as_str() == outlet.name()))
}
