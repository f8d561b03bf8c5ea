//! One timer for everything that is due at some time.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings at the earliest of the times that it was set to, or before.
///
/// To move a timer costs more than to find now and then that nothing is due yet: setting it to a
/// later time does nothing until it rings. What waits for bytes sets its times anew with every one of
/// them.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn new(time: Instant) -> Self {
        Self(Box::pin(sleep_until(time)))
    }

    pub(super) fn set(&mut self, time: Instant) {
        if time < self.0.deadline() || self.0.is_elapsed() {
            self.0.as_mut().reset(time);
        }
    }

    /// Waits for it to ring. Cancel safe.
    pub(super) async fn rings(&mut self) {
        self.0.as_mut().await;
    }
}
