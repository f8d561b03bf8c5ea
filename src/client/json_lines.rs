//! An answer of one JSON object a line, read as it comes.

use bytes::{Buf as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::Body;
use crate::model::{Failure, Kind};

/// The longest line of an answer that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct JsonLines {
    /// What it is, for messages.
    what: &'static str,
    body: Body,
    /// The beginning of a line.
    pending: BytesMut,
}

impl JsonLines {
    pub(super) fn new(what: &'static str, body: Body) -> Self {
        Self { what, body, pending: BytesMut::new() }
    }

    /// The next object; `None` behind the last one. Empty lines only say that somebody is there. Cancel
    /// safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the answer breaks off or is not understood.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        loop {
            match self.line().await? {
                None => return Ok(None),
                Some(line) if line.is_empty() => {}
                Some(line) => return self.decode(&line).map(Some),
            }
        }
    }

    /// The next server-sent event's data; `None` behind the last one. Cancel safe.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) async fn next_event<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        while let Some(line) = self.line().await? {
            // What else there is, comments and empty lines, says that somebody is there.
            if let Some(data) = line.strip_prefix(b"data: ") {
                return self.decode(data).map(Some);
            }
        }
        Ok(None)
    }

    fn decode<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(text).map_err(|error| {
            let what = format!("{} was answered in other words: {error}", self.what);
            Failure::new(Kind::Lab, what)
        })
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut searched = 0;
        loop {
            let rest = &self.pending[searched..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(searched + end).freeze();
                self.pending.advance(1);
                return Ok(Some(line));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                let what = format!("a line of an answer has more than {MAX_LINE} bytes");
                return Err(Failure::new(Kind::Lab, what));
            }
            let Some(bytes) = self.body.next().await? else { return Ok(None) };
            self.pending.extend_from_slice(&bytes);
        }
    }
}
