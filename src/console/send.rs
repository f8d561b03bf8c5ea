//! Sending: bytes at a pace, with the certainty of how many the port has taken.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::input::Typed;
use super::receipt::{Awaited, Progress, Receipt, receipt};
use super::request::{Asker, RequestError};
use super::session::WriteError;
use crate::model::event::Phase;
use crate::model::{Pace, What};
use crate::wire::attach::Answer;
use crate::wire::request::Send;

/// The longest name of a file that is told, in bytes.
const MAX_FILE: usize = 256;

/// What is being sent.
struct Sending<'a> {
    asker: Asker<'a>,
    pace: Option<Pace>,
    /// Not queued yet.
    rest: Bytes,
    /// Queued, and perhaps taken.
    queued: usize,
    receipt: Receipt,
    awaited: Awaited,
}

impl Asker<'_> {
    /// Types bytes as `send` says, and waits until the port has taken them all or it is known that it
    /// will not.
    ///
    /// Only little of it is queued at a time, so that others who type do not wait behind all of it.
    ///
    /// # Errors
    /// Why nothing was sent at all.
    pub async fn send(
        self,
        rest: Bytes,
        send: &Send,
        cancel: &CancellationToken,
    ) -> Result<Answer, RequestError> {
        // Before anything is told of it.
        self.may_write()?;
        let all = rest.len();
        if send.at == Some(0) {
            self.tell_file(send, Phase::Begin, None).await?;
        }
        let own = self.console.manners().pace;
        let pace =
            Pace { byte: send.pace.unwrap_or(own.byte), line: send.line_pace.unwrap_or(own.line) };
        let (receipt, awaited) = receipt();
        let pace = Some(pace);
        let mut sending = Sending { asker: self, pace, rest, queued: 0, receipt, awaited };
        let ended = sending.run(cancel).await;
        let sent = sending.settle(cancel).await;
        let missing = all - sent;
        let reason = (missing > 0).then(|| sending.why(ended, cancel));
        if missing > 0 {
            self.tell_file(send, Phase::Failed, reason.clone()).await?;
        } else if let (Some(at), Some(of)) = (send.at, send.of)
            && at + all as u64 >= of
        {
            self.tell_file(send, Phase::Done, None).await?;
        }
        Ok(Answer::sent(sent as u64, missing as u64, reason.unwrap_or_default()))
    }

    /// Waits until it is certain what has become of `count`; what has not gone is called back when
    /// `cancel` says so.
    pub(super) async fn settled(
        self,
        awaited: &mut Awaited,
        count: usize,
        cancel: &CancellationToken,
    ) -> Progress {
        // When the console ends nothing more is taken, and nobody counts what is left.
        let shutdown = &self.console.shutdown;
        tokio::select! {
            settled = awaited.settled(count) => return settled,
            () = shutdown.cancelled() => return awaited.progress(),
            () = cancel.cancelled() => {}
        }
        awaited.call_back();
        self.console.called_back();
        tokio::select! {
            settled = awaited.settled(count) => settled,
            () = shutdown.cancelled() => awaited.progress(),
        }
    }

    /// Tells those who watch of the file that these bytes are a part of.
    async fn tell_file(
        self,
        send: &Send,
        phase: Phase,
        detail: Option<String>,
    ) -> Result<(), RequestError> {
        let (Some(file), Some(bytes)) = (&send.file, send.of) else { return Ok(()) };
        let mut file = file.replace(char::is_control, "?");
        file.truncate(file.floor_char_boundary(MAX_FILE));
        self.tell(What::SendFile { file, bytes, phase, detail }).await
    }
}

impl Sending<'_> {
    /// Queues everything, piece by piece.
    async fn run(&mut self, cancel: &CancellationToken) -> Result<(), RequestError> {
        while !self.rest.is_empty() {
            let piece = self.piece();
            // One is on its way while the next one waits.
            let enough = self.queued.saturating_sub(piece);
            tokio::select! {
                progress = self.awaited.settled(enough) => {
                    if progress.dropped > 0 {
                        return Ok(());
                    }
                }
                () = cancel.cancelled() => return Ok(()),
            }
            let room = tokio::select! {
                room = self.asker.console.typed.reserve() => room,
                () = cancel.cancelled() => return Ok(()),
            };
            let room = room.map_err(|_| WriteError::ShuttingDown)?;
            let forced = self.asker.may_write()?;
            let bytes = self.rest.split_to(piece.min(self.rest.len()));
            self.queued += bytes.len();
            let typed = Typed::new(self.asker.user.to_owned(), bytes, forced);
            let receipt = Some(self.receipt.clone());
            room.send(Box::new(Typed { pace: self.pace, receipt, ..typed }));
        }
        Ok(())
    }

    /// How many bytes were taken, once that is certain.
    async fn settle(&mut self, cancel: &CancellationToken) -> usize {
        self.asker.settled(&mut self.awaited, self.queued, cancel).await.done
    }

    /// So many bytes take about a quarter of a second at most.
    fn piece(&self) -> usize {
        let byte = self.pace.unwrap_or_default().byte.time();
        let paced = std::time::Duration::from_millis(250).as_nanos().checked_div(byte.as_nanos());
        let paced = paced.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        self.asker.console.piece().min(paced).max(1)
    }

    fn why(&self, ended: Result<(), RequestError>, cancel: &CancellationToken) -> String {
        if let Err(error) = ended {
            return error.to_string();
        }
        if cancel.is_cancelled() {
            return "cancelled".into();
        }
        match self.asker.may_write() {
            Err(error) => error.to_string(),
            Ok(_) => "the port did not take it".into(),
        }
    }
}
