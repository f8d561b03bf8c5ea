//! Something that is sent to a board in pieces: what the next one is, and how far it has come.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::model::Interval;
use crate::wire::request::Send;

/// The most bytes of a piece.
const PIECE: usize = 4 * 1024;
/// A piece that is paced takes about so long, so that it is seen to go on.
const PIECE_TIME: Duration = Duration::from_millis(500);

/// What is sent, and how far it has come. Whoever sends it asks for [`Self::next_piece`], and tells of
/// each, in order, what became of it.
pub struct Outgoing {
    source: Box<dyn Read + std::marker::Send>,
    name: Option<String>,
    /// Its length, where it is known.
    of: Option<u64>,
    pace: Option<Interval>,
    line_pace: Option<Interval>,
    /// Where the next piece begins.
    at: u64,
    /// What was sent for certain.
    sent: u64,
    /// Pieces that are under way, oldest first.
    under_way: Vec<Vec<u8>>,
    /// What was given out before, and was certainly not sent.
    again: Vec<u8>,
    /// There is no more in the source.
    ended: bool,
}

impl Outgoing {
    /// A file, announced by its name to those who watch.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = std::fs::File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        // A pipe or a device has no length to tell.
        let of = about.is_file().then_some(about.len());
        Ok(Self { name, of, ..Self::new(Box::new(file)) })
    }

    /// Bytes that are not announced.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        let of = Some(bytes.len() as u64);
        Self { of, ..Self::new(Box::new(io::Cursor::new(bytes))) }
    }

    fn new(source: Box<dyn Read + std::marker::Send>) -> Self {
        Self {
            source,
            name: None,
            of: None,
            pace: None,
            line_pace: None,
            at: 0,
            sent: 0,
            under_way: Vec::new(),
            again: Vec::new(),
            ended: false,
        }
    }

    /// At another pace than the console's own.
    pub fn paced(self, pace: Option<Interval>, line_pace: Option<Interval>) -> Self {
        Self { pace, line_pace, ..self }
    }

    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How many bytes it has, where that is known.
    pub fn length(&self) -> Option<u64> {
        self.of
    }

    /// How many bytes were sent for certain.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes were given out, and nothing is known of yet.
    pub fn uncertain(&self) -> u64 {
        self.under_way.iter().map(|piece| piece.len() as u64).sum()
    }

    /// The next piece; `None` when there is none left.
    ///
    /// # Errors
    /// What the source says.
    pub fn next_piece(&mut self) -> io::Result<Option<Send>> {
        let mut piece = vec![0; self.piece()];
        let length = if self.again.is_empty() {
            self.read(&mut piece)?
        } else {
            let length = piece.len().min(self.again.len());
            piece[..length].copy_from_slice(&self.again[..length]);
            self.again.drain(..length);
            length
        };
        piece.truncate(length);
        if piece.is_empty() {
            return Ok(None);
        }
        let announced = self.name.is_some() && self.of.is_some();
        let request = Send {
            pace: self.pace,
            line_pace: self.line_pace,
            file: self.name.clone().filter(|_| announced),
            at: Some(self.at).filter(|_| announced),
            of: self.of.filter(|_| announced),
            ..Send::of_bytes(&piece)
        };
        self.at += piece.len() as u64;
        self.under_way.push(piece);
        Ok(Some(request))
    }

    /// So much of the oldest piece under way was sent. What was not goes out again, before all else, if
    /// it is asked for.
    pub fn settled(&mut self, sent: u64) {
        if self.under_way.is_empty() {
            return;
        }
        let piece = self.under_way.remove(0);
        let done = usize::try_from(sent).unwrap_or(usize::MAX).min(piece.len());
        self.sent += done as u64;
        self.at -= (piece.len() - done) as u64;
        self.again.extend_from_slice(&piece[done..]);
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while !self.ended && length < piece.len() {
            match self.source.read(&mut piece[length..]) {
                Ok(0) => self.ended = true,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }

    fn piece(&self) -> usize {
        let byte = self.pace.unwrap_or_default().time().as_nanos();
        let count = PIECE_TIME.as_nanos().checked_div(byte);
        count.and_then(|count| usize::try_from(count).ok()).map_or(PIECE, |n| n.clamp(1, PIECE))
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("name", &self.name)
            .field("of", &self.of)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_paced_piece_takes_half_a_second() {
        let pace = Some("10ms".parse().unwrap());
        let mut outgoing = Outgoing::bytes(vec![b'x'; 120]).paced(pace, None);
        let mut lengths = Vec::new();
        while let Some(send) = outgoing.next_piece().unwrap() {
            lengths.push(send.payload().unwrap().len());
            outgoing.settled(u64::MAX);
        }
        assert_eq!((lengths, outgoing.sent()), (vec![50, 50, 20], 120));
    }

    proptest! {
        #[test]
        fn whatever_is_not_sent_goes_again_and_each_byte_once(
            bytes in proptest::collection::vec(any::<u8>(), 0..20_000),
            fates in proptest::collection::vec(0..6000_u64, 1..20),
        ) {
            let mut outgoing = Outgoing::bytes(bytes.clone());
            let mut fates = fates.into_iter().chain(std::iter::repeat(u64::MAX));
            let mut got = Vec::new();
            while let Some(first) = outgoing.next_piece().unwrap() {
                // As one who sends two at a time: what follows a failed piece was not sent at all.
                let second = outgoing.next_piece().unwrap();
                let mut fate = fates.next().unwrap();
                for send in std::iter::once(first).chain(second) {
                    let payload = send.payload().unwrap();
                    let sent = usize::try_from(fate).unwrap_or(usize::MAX).min(payload.len());
                    got.extend_from_slice(&payload[..sent]);
                    outgoing.settled(sent as u64);
                    fate = if sent < payload.len() { 0 } else { u64::MAX };
                }
            }
            prop_assert_eq!(outgoing.sent(), bytes.len() as u64);
            prop_assert_eq!(got, bytes);
        }
    }
}
