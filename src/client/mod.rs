//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

pub mod attach;
mod console;
mod endpoint;
mod http;

pub use attach::Attachment;
pub use console::ConsoleRef;
pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
