//! What a job came to, which its server notes.

use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::entry::{Entry, MAX_LINE};
use crate::dispatch::results::{CaseResult, LAVA};
use crate::model::{BoardIdentity, Mac, Tally};

/// So many addresses a board may tell, and an identity of so many bytes.
const MAX_MACS: usize = 64;
const MAX_IDENTITY: usize = 1024;

/// What a job's log says of its end. It is read line by line, while it grows, and no more of it is kept than a line or
/// two.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The job's result: whether all of its actions were done. `None` where the dispatcher was ended before the job.
    pub complete: Option<bool>,
    pub error_type: Option<String>,
    pub error_msg: Option<String>,
    /// Of the tests.
    pub tally: Tally,
    /// What the board has told of itself by `lava-identity`.
    pub identity: Option<BoardIdentity>,
}

/// A job's log, as far as it was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// So many bytes were: whole lines.
    read: u64,
    outcome: Outcome,
    /// It has a line that is none of a log.
    damaged: bool,
}

impl Reading {
    /// Reads on to the end of what there is; the first time from the begin. What it comes to so far: `None` when there is
    /// no such file, or a line of it is none of a log. What a dispatcher that was killed left of its last line is left
    /// out.
    ///
    /// # Errors
    /// Why the file cannot be read; it is gone on with from the same line the next time.
    pub fn read_on(&mut self, log: &Path) -> io::Result<Option<&Outcome>> {
        let mut file = match std::fs::File::open(log) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while !self.damaged {
            line.clear();
            let read = (&mut file).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') && read < MAX_LINE {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(entry) => self.outcome.hear(entry),
                Err(_) => self.damaged = true,
            }
            self.read += read;
        }
        Ok((!self.damaged).then_some(&self.outcome))
    }
}

impl Outcome {
    fn hear(&mut self, entry: Entry) {
        if entry.lvl == "results" {
            serde_json::from_value(entry.msg).into_iter().for_each(|case| self.add(case));
        } else if entry.lvl == "event" {
            let told = entry.msg.as_str().and_then(identity_of);
            self.identity = told.or(self.identity.take());
        }
    }

    fn add(&mut self, case: CaseResult) {
        if case.definition == LAVA {
            if case.case == "job" {
                self.complete = Some(case.result == "pass");
                (self.error_type, self.error_msg) = (case.error_type, case.error_msg);
            }
            return;
        }
        match case.result.as_str() {
            "pass" => self.tally.pass += 1,
            "fail" => self.tally.fail += 1,
            "skip" => self.tally.skip += 1,
            "unknown" => self.tally.unknown += 1,
            _ => {}
        }
    }
}

/// What `lava-identity` has said; an address that is none is passed over.
fn identity_of(event: &str) -> Option<BoardIdentity> {
    let mut told = BoardIdentity::default();
    for word in event.strip_prefix("lava-identity ")?.split_whitespace() {
        match word.split_once('=') {
            Some(("mac", mac)) if told.mac.len() < MAX_MACS => told.mac.extend(mac.parse::<Mac>()),
            Some(("identity", text)) if (1..=MAX_IDENTITY).contains(&text.len()) => {
                told.identity = Some(text.to_owned());
            }
            _ => {}
        }
    }
    Some(told)
}
