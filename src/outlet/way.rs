//! How far a request has got, and what may be said of its failure therefore.
//!
//! Whoever is told that an outlet "is as it was" does not look at it again. So a driver cannot say it
//! of its own accord: it asks the request's [`Way`], which says it only as long as nothing was sent that
//! may switch. Afterwards only the PDU's own word counts: [`OutletError::said_no`] and its like. All
//! else is [`OutletError::Unclear`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::{Answer, OutletError};

tokio::task_local! {
    /// Of the answer that is waited for.
    static STAGE: Arc<Stage>;
}

/// The text of a failure that left the outlet as it was; no driver can make one of any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsItWas(String);

/// The way of one request to the PDU. Whatever sends it says so first: [`Way::sending`].
#[derive(Debug)]
pub(super) struct Way {
    switches: bool,
    sent: bool,
    stage: Option<Arc<Stage>>,
}

/// What has become of the requests that one answer consists of. Read by whoever gives up waiting.
#[derive(Debug, Default)]
struct Stage {
    switch: AtomicU8,
    read: AtomicU8,
}

const UNKNOWN: u8 = 0;
const BEGUN: u8 = 1;
const SENT: u8 = 2;

/// Waits for an answer as long as it may take.
///
/// # Errors
/// What the driver says; [`OutletError::Silent`] when the time is over, and [`OutletError::Unheard`] when
/// the driver had come to ask nothing by then.
pub async fn within<T>(limit: Duration, answer: Answer<'_, T>) -> Result<T, OutletError> {
    let stage = Arc::<Stage>::default();
    // It is dropped before the stage is looked at: what it may leave behind does not begin later.
    let answered = STAGE.scope(stage.clone(), timeout(limit, answer)).await;
    answered.unwrap_or_else(|_| {
        Err(match stage.is_unsent() {
            true => OutletError::Unheard(limit),
            false => OutletError::Silent(limit),
        })
    })
}

impl Stage {
    fn is_unsent(&self) -> bool {
        match self.switch.load(Ordering::SeqCst) {
            UNKNOWN => self.read.load(Ordering::SeqCst) == BEGUN,
            switch => switch == BEGUN,
        }
    }
}

impl Way {
    /// Of a request that switches.
    pub(super) fn switches() -> Self {
        Self::new(true)
    }

    /// Of a request that switches nothing, whatever becomes of it.
    pub(super) fn reads() -> Self {
        Self::new(false)
    }

    fn new(switches: bool) -> Self {
        let mut way = Self { switches, sent: false, stage: None };
        way.begin();
        way
    }

    /// Of what is waited for now, if that was not known yet.
    pub(super) fn begin(&mut self) {
        if self.stage.is_none() {
            self.stage = STAGE.try_with(Arc::clone).ok();
            self.at(BEGUN);
        }
    }

    /// From now on the PDU may have heard it.
    pub(super) fn sending(&mut self) {
        self.sent = true;
        self.at(SENT);
    }

    /// It is certain by now that the PDU has not heard it, as when nobody listened there.
    pub(super) fn turned_back(&mut self) {
        self.sent = false;
    }

    /// Whether the PDU may have heard anything.
    pub(super) fn was_sent(&self) -> bool {
        self.sent
    }

    /// Whether anything may have been switched.
    pub(super) fn may_have_switched(&self) -> bool {
        self.switches && self.sent
    }

    /// Later is never taken back: what one request has done, the next one cannot undo.
    fn at(&self, stage: u8) {
        if let Some(all) = &self.stage {
            let mine = if self.switches { &all.switch } else { &all.read };
            mine.fetch_max(stage, Ordering::SeqCst);
        }
    }

    /// It cannot be done, as far as we can see.
    pub(super) fn refused(&self, why: impl Into<String>) -> OutletError {
        self.or_unclear(OutletError::Refused, why)
    }

    /// The PDU takes us for nobody.
    pub(super) fn denied(&self, why: impl Into<String>) -> OutletError {
        self.or_unclear(OutletError::Denied, why)
    }

    /// The PDU cannot be reached.
    pub(super) fn unreachable(&self, why: impl Into<String>) -> OutletError {
        self.or_unclear(OutletError::Unreachable, why)
    }

    /// What the PDU says makes no sense, or it is gone: a failure on the way there if nothing was sent.
    pub(super) fn unclear(&self, why: impl Into<String>) -> OutletError {
        match self.sent {
            false => OutletError::Unreachable(AsItWas(why.into())),
            true => OutletError::Unclear(why.into()),
        }
    }

    /// Nothing came back within this time.
    pub(super) fn silent(&self, limit: Duration) -> OutletError {
        if self.sent { OutletError::Silent(limit) } else { OutletError::Unheard(limit) }
    }

    /// The failure of something that had to be done before, such as a login: it switches nothing.
    pub(super) fn before(&self, error: OutletError) -> OutletError {
        match error {
            OutletError::Unclear(why) => self.unclear(why),
            error => error,
        }
    }

    fn or_unclear(&self, of: fn(AsItWas) -> OutletError, why: impl Into<String>) -> OutletError {
        match self.may_have_switched() {
            false => of(AsItWas(why.into())),
            true => OutletError::Unclear(why.into()),
        }
    }
}

impl OutletError {
    /// The PDU's own answer to this very request, the only one that was made: it will not, or cannot.
    pub(super) fn said_no(why: impl Into<String>) -> Self {
        Self::Refused(AsItWas(why.into()))
    }

    /// The same: it does not let us.
    pub(super) fn said_nobody(why: impl Into<String>) -> Self {
        Self::Denied(AsItWas(why.into()))
    }

    /// The same: it has no time for us.
    pub(super) fn said_busy(why: impl Into<String>) -> Self {
        Self::Unreachable(AsItWas(why.into()))
    }
}

impl fmt::Display for AsItWas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For tests, which say what an outlet says.
#[cfg(test)]
impl From<&str> for AsItWas {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn what_may_have_been_done_is_never_called_undone() {
        let mut way = Way::switches();
        assert_eq!(way.unreachable("gone"), OutletError::Unreachable("gone".into()));
        assert_eq!(way.unclear("gone"), OutletError::Unreachable("gone".into()));
        way.sending();
        let gone = OutletError::Unclear("gone".into());
        for error in [way.refused("gone"), way.denied("gone"), way.unreachable("gone")] {
            assert_eq!(error, gone);
        }
        assert_eq!(way.before(gone.clone()), gone);
        way.turned_back();
        assert!(!way.unreachable("gone").is_unclear());
        let mut way = Way::reads();
        way.sending();
        assert!(!way.denied("no").is_unclear(), "nothing is switched by looking");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_unclear_only_when_something_was_asked() {
        let asked = |ways: fn()| {
            let answer = async move {
                ways();
                std::future::pending::<Result<(), OutletError>>().await
            };
            within(LIMIT, answer.boxed())
        };
        assert_eq!(asked(|| ()).await, Err(OutletError::Silent(LIMIT)), "nobody knows");
        let unheard = Err(OutletError::Unheard(LIMIT));
        assert_eq!(asked(|| drop(Way::switches())).await, unheard);
        assert_eq!(asked(|| drop(Way::reads())).await, unheard);
        let looked_first = || {
            let _way = Way::switches();
            Way::reads().sending();
        };
        assert_eq!(asked(looked_first).await, unheard, "it was only looked at");
        let looked_after = || {
            Way::switches().sending();
            let _read = Way::reads();
        };
        assert_eq!(asked(looked_after).await, Err(OutletError::Silent(LIMIT)));
    }
}
