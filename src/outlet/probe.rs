//! Looking at a PDU that nobody has configured yet: which driver and profile it wants, and its outlets.

use super::{OutletError, http, snmp};
use crate::config::power::Access;
use crate::model::{Reading, State};

/// Who answers at an address.
#[derive(Debug)]
pub enum Finding {
    Pdu(Found),
    /// Somebody who is no PDU that we know, and what it says of itself.
    Stranger(String),
}

/// A PDU that was found.
#[derive(Debug)]
pub struct Found {
    /// As in `driver = "…"` and `profile = "…"`.
    pub driver: &'static str,
    pub profile: String,
    /// What the family is, in one line.
    pub about: String,
    /// What it was told by.
    pub by: String,
    /// What it says of itself, fit for a terminal.
    pub description: String,
    pub outlets: Vec<FoundOutlet>,
}

#[derive(Debug)]
pub struct FoundOutlet {
    /// As in `port = "…"`.
    pub port: String,
    /// What somebody has called it on the PDU, fit for a terminal.
    pub name: Option<String>,
    pub state: State,
    /// All `None` where it does not measure.
    pub reading: Reading,
}

/// Asks the SNMP agent at `HOST:PORT`. Nothing is switched. Has no time limit of its own.
///
/// # Errors
/// When it does not answer, or does not let us ask.
pub async fn snmp(address: &str, access: &Access) -> Result<Finding, OutletError> {
    snmp::probe::probe(address, access).await
}

/// Asks the web server at this URL, such as `http://10.0.0.7`. Nothing is switched. `None` of one that is no
/// PDU that we know, or tells nothing before a login. Has no time limit of its own.
///
/// # Errors
/// When there is none.
pub async fn web(url: &str) -> Result<Option<Found>, OutletError> {
    http::probe::probe(url).await
}
