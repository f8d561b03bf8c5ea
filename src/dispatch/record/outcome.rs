//! What a job came to, which its server notes.

use std::ops::ControlFlow;
use std::path::Path;

use super::entry::{self, Entry};
use crate::dispatch::execute::LOG;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::model::{BoardIdentity, Failure, Mac, Tally};

/// So many addresses a board may tell, and an identity of so many bytes.
const MAX_MACS: usize = 64;
const MAX_IDENTITY: usize = 1024;

/// What a job's log says of its end. It is read line by line, and no more of it is kept than a line or two.
#[derive(Debug, Default)]
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

impl Outcome {
    /// Reads the log in a job's output folder.
    ///
    /// # Errors
    /// As [`entry::read`].
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let mut outcome = Self::default();
        entry::read(&folder.join(LOG), 0, |entry: Entry| {
            if entry.lvl == "results" {
                serde_json::from_value(entry.msg).into_iter().for_each(|case| outcome.add(case));
            } else if entry.lvl == "event" {
                let told = entry.msg.as_str().and_then(identity_of);
                outcome.identity = told.or(outcome.identity.take());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(outcome)
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
