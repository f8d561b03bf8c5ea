//! Why a request for power was not, or not fully, carried out.

use std::sync::Arc;

use super::OperationError;
use crate::model::{Failure, Kind, Name};

#[derive(Debug, Clone, thiserror::Error)]
pub enum PowerError {
    #[error("there is no outlet {name:?}")]
    UnknownOutlet { name: String, near: Option<String> },
    #[error("{pdu} has too many operations waiting")]
    Busy { pdu: Arc<str> },
    #[error("lava-power is ending")]
    Ending,
    /// [`OperationError::Held`]: no PDU was asked.
    #[error("{0}")]
    Held(OperationError),
    #[error("{outlet} on {pdu}: {error}")]
    Operation { outlet: Name, pdu: Arc<str>, error: OperationError, hint: Option<&'static str> },
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
            PowerError::Held(error) => Self::new(error.kind(), text).hint(
                "attach to its console and take it with ~$force, or force this and give a reason",
            ),
            PowerError::Operation { error, hint, .. } => {
                Self { hint: hint.map(str::to_owned), ..Self::new(error.kind(), text) }
            }
        }
    }
}
