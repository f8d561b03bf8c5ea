//! The keeping of a console's record: what comes is captured, synced and tended.

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Lifetime;
use super::health::SILENT;
use super::supervisor::Supervisor;
use crate::config::CaptureOptions;
use crate::model::{What, units};

/// So many consoles of a process keep house at a time: it takes memory and a core.
static KEEPING_HOUSE: Semaphore = Semaphore::const_new(1);

impl Supervisor {
    pub(super) fn settle(&mut self) {
        self.writer.settle();
        if self.writer.broken().is_some() {
            self.tell_capture();
        }
    }

    /// The life of a byte: stamped, captured, then published.
    pub(super) fn append(&mut self, bytes: Bytes) {
        let time_us = units::now_us();
        let offset = self.writer.head();
        let gap = self.writer.append(time_us, &bytes);
        let looked_at = bytes.clone();
        let mut state = self.console.state();
        let mismatch = state.vitals.heard(time_us, bytes.len());
        state.ring.push(offset, time_us, bytes);
        if state.capture_error.as_deref() != self.writer.broken() {
            state.capture_error = self.writer.broken().map(str::to_owned);
        }
        let events = gap.map_or(0, |gap| {
            state.events.push(gap);
            1
        });
        self.console.head.send_modify(|head| {
            head.offset = self.writer.head();
            head.events += events;
        });
        drop(state);
        self.keep_house();
        self.look_at(offset, time_us, &looked_at, mismatch);
    }

    /// Tells whether the capture can be written.
    fn tell_capture(&mut self) {
        let broken = self.writer.broken().map(str::to_owned);
        self.console.state().capture_error = broken;
    }

    /// Publishes an event and captures it.
    pub(super) fn event(&mut self, who: Option<String>, what: What) {
        self.console.publish(who, what);
        self.record_events();
    }

    /// Captures what was published, by whomever, in the order in which it was.
    pub(super) fn record_events(&mut self) {
        loop {
            let event = {
                let mut state = self.console.state();
                let Some((number, event)) = state.events.at(self.recorded) else { return };
                let (missed, event) = (number - self.recorded, event.clone());
                self.recorded = number + 1;
                if missed > 0 {
                    tracing::warn!(console = %self.console.name, missed, "events are not captured");
                }
                if state.vitals.power(&event) {
                    self.silent_at = Some(Instant::now() + SILENT);
                }
                event
            };
            // The writer has captured it when it told of it.
            if !matches!(event.what, What::Gap { .. }) {
                self.record(&event);
            }
        }
    }

    pub(super) fn sync(&mut self) {
        self.settle();
        if let Some(file) = self.writer.unsynced() {
            let name = self.console.name.clone();
            self.lifetime.tasks.spawn_blocking(move || {
                if let Err(error) = file.sync_data() {
                    tracing::error!(console = %name, %error, "the capture could not be synced");
                }
            });
        }
    }

    pub(super) fn change_capture(&mut self, options: CaptureOptions) {
        self.writer.change_options(options);
        self.tend();
    }

    /// What is due from time to time, however quiet the console is.
    pub(super) fn tend(&mut self) {
        self.tend_at = Instant::now() + self.writer.tended_every();
        self.writer.tend(units::now_us());
        self.keep_house();
    }

    pub(super) fn keep_house(&mut self) {
        let Some(work) = self.writer.housekeeping() else { return };
        let Lifetime { tasks, shutdown, hand_over } = self.lifetime.clone();
        tasks.spawn(async move {
            let turn = tokio::select! {
                () = shutdown.cancelled() => return,
                () = hand_over.cancelled() => return,
                turn = KEEPING_HOUSE.acquire() => turn,
            };
            // A panic in it was logged, and what is left is done next time.
            let _ = tokio::task::spawn_blocking(move || work.run()).await;
            drop(turn);
        });
    }
}
