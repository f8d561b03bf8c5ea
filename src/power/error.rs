//! Why a request for power was not, or not fully, carried out.

use std::sync::Arc;

use super::{Hold, OperationError, Overdrawn};
use crate::model::{Failure, Kind, Name, Refusal};

#[derive(Debug, Clone, thiserror::Error)]
pub enum PowerError {
    #[error("there is no outlet {name:?}")]
    UnknownOutlet { name: String, near: Option<String> },
    /// A board, or a PDU.
    #[error("{what} has too many operations waiting")]
    Busy { what: Arc<str> },
    #[error("lava-power is ending")]
    Ending,
    /// Somebody else uses the board. No PDU was asked.
    #[error("{0}")]
    Held(Hold),
    /// A budget is spent. No PDU was asked.
    #[error("{0}")]
    Overdrawn(Overdrawn),
    #[error("{outlet} on {pdu}: {error}")]
    Operation { outlet: Name, pdu: Arc<str>, error: OperationError, hint: Option<&'static str> },
}

impl PowerError {
    /// In one word, for records.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Held(_) | Self::Overdrawn(_) => "refused",
            Self::Operation { error: OperationError::LeftOff { .. }, .. } => "left-off",
            _ => "failed",
        }
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Self {
        let text = error.to_string();
        match error {
            PowerError::UnknownOutlet { near: Some(near), .. } => {
                Self::new(Kind::User, text).hint(format!("did you mean {near:?}?"))
            }
            PowerError::UnknownOutlet { .. } => {
                Self::new(Kind::User, text).hint("GET /outlets lists them")
            }
            PowerError::Busy { .. } => Self::new(Kind::Lab, text).hint("try again in a while"),
            PowerError::Ending => Self::new(Kind::Interrupted, text),
            PowerError::Held(hold) => {
                Self::new(Kind::Refused, text).because(hold.refusal()).hint(hold.hint())
            }
            PowerError::Overdrawn(Overdrawn { wait, .. }) => {
                let seconds = wait.as_secs_f64().ceil();
                Self::new(Kind::Refused, text).because(Refusal::Budget).hint(format!(
                    "it may be again in {seconds} s; who has control of it may force it and give a reason"
                ))
            }
            PowerError::Operation { error, hint, .. } => {
                Self { hint: hint.map(str::to_owned), ..Self::new(error.kind(), text) }
            }
        }
    }
}
