//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

pub mod attach;
mod endpoint;
pub mod history;
mod http;
pub mod lab;
pub mod outlet;
mod resource;
mod sockets;

pub use attach::Attachment;
pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
pub use resource::{ConsoleRef, OutletRef, Resource};
