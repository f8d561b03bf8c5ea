//! One board's outlet, as `lava-power` serves it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Http, OutletRef, resource::percent_encoded};
use crate::model::{Failure, Lease, Name, OutletInfo, PowerRequest, Report, Verb};

/// How long an operation may take at most: a cycle waits, and others may be queued before it.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6 * 3600);
/// So often a daemon that has not answered yet is asked whether it is there at all, and so long it may
/// take to say that it is.
const STILL_THERE: Duration = Duration::from_secs(20);

/// Carries out a verb on an outlet. [`Verb::Status`] asks the PDU and changes nothing.
///
/// It takes as long as it takes, while the daemon is there.
///
/// # Errors
/// The daemon's own failure; `Kind::Lab` when it does not answer.
pub async fn operate(
    outlet: &OutletRef,
    verb: Verb,
    request: &PowerRequest,
) -> Result<Report, Failure> {
    let http = outlet.http().with_timeout(OPERATION_TIMEOUT);
    let asked = ask(&http, outlet, verb, request);
    tokio::select! {
        report = asked => report,
        failure = falls_silent(outlet) => {
            let what = format!("{}; what was asked for may still be carried out", failure.message);
            let hint = format!("lava power history {} tells, once it answers", outlet.name());
            Err(Failure { message: what, ..failure }.hint(hint))
        }
    }
}

/// Waits until a daemon does not answer any more, for as long as it does.
async fn falls_silent(outlet: &OutletRef) -> Failure {
    let http = outlet.http().with_timeout(STILL_THERE);
    loop {
        tokio::time::sleep(STILL_THERE).await;
        if let Err(failure) = http.is_there("/healthz").await {
            return failure;
        }
    }
}

async fn ask(
    http: &Http,
    outlet: &OutletRef,
    verb: Verb,
    request: &PowerRequest,
) -> Result<Report, Failure> {
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
