//! HTTP for the daemons: the listener that closes bad clients, and failures as JSON.

mod error;
pub mod power;
pub mod serial;
mod serve;

pub use error::ApiError;
pub use serve::{Listener, Peer, serve};
