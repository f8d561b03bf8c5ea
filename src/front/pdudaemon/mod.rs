//! Outlets for the clients of pdudaemon: what they ask, by HTTP or as a line of text.
//!
//! A request names a PDU and a port, or, as an alias, a board. It is answered when it is done. Nobody
//! is authenticated, and nothing is forced.

mod tcp;

pub use tcp::{lines, serve};

use std::time::Duration;

use crate::front::outlets;
use crate::model::{Failure, Kind, Name, Report, Verb};
use crate::power::{Asked, Power, PowerError};

/// The longest delay, as the longest off time of an outlet.
const LONGEST_DELAY: u64 = 600;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::front) struct Request {
    verb: Verb,
    outlet: Name,
    /// How long a reboot keeps the power off; how long on and off wait before they are done.
    delay: Option<Duration>,
}

/// What a request names.
#[derive(Debug, Clone, Copy)]
pub(in crate::front) enum Target<'a> {
    Port { hostname: &'a str, port: &'a str },
    Alias(&'a str),
}

impl Request {
    /// Reads what a client has sent. `word` is `on`, `off` or `reboot`, and a delay is in seconds.
    ///
    /// # Errors
    /// Why there is nothing to carry out.
    pub(in crate::front) fn new(
        power: &Power,
        word: &str,
        target: Target<'_>,
        delay: Option<&str>,
    ) -> Result<Self, String> {
        let verb = match word {
            "on" => Verb::On,
            "off" => Verb::Off,
            "reboot" => Verb::Cycle,
            _ => return Err(format!("{word:?} is none of on, off and reboot")),
        };
        let outlet = match target {
            Target::Port { hostname, port } => outlets::at(power, hostname, port)
                .ok_or_else(|| format!("there is no outlet at port {port:?} of PDU {hostname:?}")),
            Target::Alias(board) => {
                outlets::of(power, board).ok_or_else(|| format!("there is no outlet {board:?}"))
            }
        };
        let seconds = |text: &str| {
            let seconds = text.trim().parse::<u64>().ok().filter(|delay| *delay <= LONGEST_DELAY);
            let wrong = || format!("delay {text:?} is none of 0 to {LONGEST_DELAY} seconds");
            seconds.map(Duration::from_secs).ok_or_else(wrong)
        };
        Ok(Self { verb, outlet: outlet?.clone(), delay: delay.map(seconds).transpose()? })
    }

    /// Waits until it is done. Dropped before its turn it is not carried out.
    ///
    /// # Errors
    /// As [`Power::request`].
    pub(in crate::front) async fn carry_out(
        self,
        power: &Power,
        address: &str,
    ) -> Result<Report, PowerError> {
        let mut asked = Asked::by(format!("pdudaemon:{address}"));
        match self.verb {
            Verb::Cycle => asked.off_time = self.delay,
            Verb::On | Verb::Off | Verb::Status => {
                tokio::time::sleep(self.delay.unwrap_or_default()).await;
            }
        }
        power.request(self.outlet.as_str(), self.verb, asked).await
    }
}

/// What came of a request that was not done, in one line, and whether it was for the time being: another
/// one has the board, or waits for the PDU.
pub(in crate::front) fn failure_text(error: PowerError) -> (String, bool) {
    let busy = matches!(error, PowerError::Busy { .. } | PowerError::Ending);
    let Failure { kind, message, hint, .. } = error.into();
    let hint = hint.filter(|_| kind == Kind::Lab).map(|hint| format!("; {hint}"));
    let text = message + &hint.unwrap_or_default();
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (text, busy || kind == Kind::Refused)
}
