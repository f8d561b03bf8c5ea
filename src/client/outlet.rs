//! One board's outlet, as `lava-power` serves it.

use std::time::Duration;

use super::OutletRef;
use crate::model::{Failure, PowerRequest, Report, Verb};

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
        Verb::Status => http.get(&outlet.path).await,
        Verb::On | Verb::Off | Verb::Cycle => {
            http.post(&format!("{}/{verb}", outlet.path), request).await
        }
    }
}
