//! Whose the board is for a time, as whoever gives boards away has said.

use super::Console;
use crate::model::{Lease, What, units};

impl Console {
    /// The board is somebody's from now on: others look on, unless they take the console by force. Or it is nobody's
    /// in particular. Everybody is told of news.
    pub fn set_lease(&self, lease: Option<Lease>) {
        let who = lease.as_ref().map(|lease| lease.holder.clone());
        let text = match &lease {
            Some(Lease { holder, until_us, .. }) => {
                let until = units::time_text(*until_us);
                format!("{} is leased by {holder} until {until}: others look on", self.name)
            }
            None => format!("{} is leased by nobody any more", self.name),
        };
        let news = self.state().lock.set_lease(lease);
        if news {
            self.publish(who, What::Message { text });
        }
    }

    /// When somebody typed last, or the board's power was switched, in microseconds since the Unix epoch.
    pub fn used_us(&self) -> Option<u64> {
        Some(self.state().used_us).filter(|used_us| *used_us > 0)
    }

    /// Who has leased the board, if somebody has.
    pub fn lease(&self) -> Option<Lease> {
        self.state().lock.lease().cloned()
    }
}
