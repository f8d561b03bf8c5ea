//! Devices of this host whose kernel interface blocks: what is begun there goes on to its end, also when
//! nobody waits any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::OutletError;
use super::way::Way;

/// One device, to which one thing is said at a time: what a dropped request has left behind comes first.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<()>>);

/// Whether somebody still waits for a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

/// What is no longer wanted when this is dropped.
struct Waiting(Wanted);

impl Line {
    /// Does something on a thread for blocking work, when everything before is over.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        mut way: Way,
        act: impl FnOnce(&mut Way, &Wanted) -> Result<T, OutletError> + Send + 'static,
    ) -> Result<T, OutletError> {
        way.begin();
        let waiting = Waiting(Wanted::default());
        let wanted = waiting.0.clone();
        let turn = self.0.clone().lock_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            act(&mut way, &wanted)
        });
        done.await.unwrap_or_else(|error| Err(OutletError::Unclear(error.to_string())))
    }
}

impl Wanted {
    /// To be asked right before something is switched: a request that was given up must not switch later,
    /// against what was asked for since.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    pub(super) fn sending(&self, way: &mut Way) -> Result<(), OutletError> {
        // In this order: whoever gives up looks at the way after that.
        way.sending();
        match self.0.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(OutletError::Unclear("given up".to_owned())),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::outlet::within;

    const LIMIT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn what_is_given_up_switches_no_more_and_is_waited_for() {
        let line = Line::default();
        let (begin, begun) = mpsc::channel::<()>();
        let (said, heard) = mpsc::channel();
        let slow = line.run(Way::switches(), {
            let said = said.clone();
            move |way, wanted| {
                // The search for the device takes long.
                let _ = begun.recv();
                wanted.sending(way)?;
                said.send("off").map_err(|error| way.unclear(error.to_string()))
            }
        });
        let given_up = within(LIMIT, slow.boxed()).await;
        assert_eq!(given_up, Err(OutletError::Unheard(LIMIT)));
        let next = line.run(Way::switches(), move |way, wanted| {
            wanted.sending(way)?;
            said.send("on").map_err(|error| way.unclear(error.to_string()))
        });
        let mut next = next.boxed();
        assert!((&mut next).now_or_never().is_none(), "it is not its turn");
        drop(begin);
        next.await.unwrap();
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["on"]);
    }
}
