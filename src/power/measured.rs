//! An outlet whose every request to its PDU is counted, with how long it took.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::tally::Tally;
use crate::model::{Name, Reading, State};
use crate::outlet::{Answer, Outlet, OutletError, Switch};

#[derive(Debug)]
pub(super) struct Measured {
    outlet: Box<dyn Outlet>,
    pdu: Name,
    tally: Arc<Tally>,
}

/// A request under way. One that is dropped was not answered in time.
struct Request<'a> {
    of: &'a Measured,
    began: Instant,
    result: &'static str,
}

impl Measured {
    pub(super) fn new(outlet: Box<dyn Outlet>, pdu: &Name, tally: &Arc<Tally>) -> Self {
        Self { outlet, pdu: pdu.clone(), tally: tally.clone() }
    }

    fn count<'a, T: 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        async move {
            let mut request = Request { of: self, began: Instant::now(), result: "unanswered" };
            let answer = answer.await;
            request.result = match &answer {
                Ok(_) => "ok",
                Err(OutletError::Refused(_) | OutletError::Denied(_)) => "refused",
                Err(OutletError::Unreachable(_)) => "unreachable",
                Err(OutletError::Silent(_) | OutletError::Unclear(_)) => "unclear",
            };
            answer
        }
        .boxed()
    }
}

impl Outlet for Measured {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.count(self.outlet.switch(to))
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.count(self.outlet.status()?))
    }

    fn meter(&self) -> Option<Answer<'_, Reading>> {
        Some(self.count(self.outlet.meter()?))
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        Some(self.count(self.outlet.cycle()?))
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.of.tally.request(&self.of.pdu, self.result, self.began.elapsed());
    }
}
