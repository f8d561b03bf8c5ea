//! Reads the meters of a PDU's outlets, while nobody wants the PDU for anything else.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::meter::{Metered, Rounds, differs};
use super::pdu::{Look, Seat};
use super::{Common, Entry, Note};
use crate::model::What;

/// Who tells consoles what flows.
const METER: &str = "lava-power";

/// Reads the outlets of one PDU in rounds, until the daemon ends.
pub(super) async fn meter(common: Arc<Common>, seats: Vec<Arc<Seat>>, every: Duration) {
    let mut rounds = Rounds::new(every, seats.len());
    let ending = common.surroundings.ending.clone();
    while let Some(at) = ending.run_until_cancelled(rounds.outlet()).await {
        let seat = &seats[at];
        match ending.run_until_cancelled(seat.look_at_meter()).await {
            None => return,
            Some(Look::PutOff) => continue,
            Some(Look::Nothing) => rounds.read(),
            Some(Look::Read(Ok(reading))) => {
                seat.has_read(Some(reading));
                for entry in common.entries.values().filter(|entry| entry.is_fed_by(seat)) {
                    entry.tell_reading(&common).await;
                }
                rounds.read();
            }
            Some(Look::Read(Err(error))) => {
                tracing::debug!(pdu = &*seat.pdu.label, port = seat.port, %error, "it is not measured");
                if error.is_answer() {
                    seat.has_read(None);
                    rounds.read();
                } else {
                    rounds.give_up();
                }
            }
        }
    }
}

impl Entry {
    fn is_fed_by(&self, seat: &Arc<Seat>) -> bool {
        self.board.feeds.iter().any(|feed| Arc::ptr_eq(&feed.seat, seat))
    }

    /// What flows into the board, as its outlets were read last: of the time of the oldest reading in it.
    pub(super) fn metered(&self) -> Option<Metered> {
        let readings = self.board.feeds.iter().filter_map(|feed| feed.seat.metered());
        let both = |a: Metered, b: Metered| Metered {
            time_us: a.time_us.min(b.time_us),
            reading: a.reading.beside(b.reading),
        };
        readings.filter(Metered::says_something).reduce(both)
    }

    /// Tells the board's console what flows, when that is news.
    async fn tell_reading(&self, common: &Common) {
        let Some(Metered { reading, .. }) = self.metered() else { return };
        let told = || self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(console) = &self.info.console
            && differs(*told(), reading)
        {
            let what = What::Meter { outlet: self.info.name.clone(), reading };
            let note = Note { who: METER.to_owned(), what };
            common.surroundings.consoles.record(console, &note).await;
            *told() = Some(reading);
        }
    }
}
