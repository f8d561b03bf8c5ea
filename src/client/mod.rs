//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

mod endpoint;
mod http;

pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
