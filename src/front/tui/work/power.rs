//! The boards' outlets: whether they are on, and who has leased the boards.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::{Common, Daemon, News};
use crate::client::{OutletRef, outlet};
use crate::model::{Kind, PowerRequest, State, Verb};

/// How often it is asked who has leased which board: one request for all boards of a daemon.
const LEASES_EVERY: Duration = Duration::from_secs(5);

/// Asks an outlet, which asks its PDU: only a few at a time.
pub(super) async fn ask(common: Common, outlet: OutletRef) {
    let Ok(_turn) = common.asking.acquire().await else { return };
    let request = PowerRequest { user: Some(common.user.clone()), ..PowerRequest::default() };
    let state = match outlet::operate(&outlet, Verb::Status, &request).await {
        Ok(report) => Some(report.state),
        Err(failure) if failure.kind == Kind::Lab => None,
        Err(_) => Some(State::Unknown),
    };
    common.tell(News::State(outlet, state)).await;
}

/// Follows who has leased what, for ever. A daemon that has been away may not know any more what its
/// outlets were.
pub(super) async fn leases(common: Common, daemon: Daemon) {
    let mut away = false;
    loop {
        match outlet::leases(&daemon.http().with_timeout(LEASES_EVERY)).await {
            Ok(leases) => {
                common.tell(News::Leases(daemon.clone(), leases)).await;
                if std::mem::take(&mut away) {
                    common.look.notify_one();
                }
            }
            Err(_) if !away => {
                away = true;
                common.tell(News::Leases(daemon.clone(), BTreeMap::new())).await;
                // Each is asked again, and not known until then.
                common.look.notify_one();
            }
            Err(_) => {}
        }
        sleep(LEASES_EVERY).await;
    }
}
