//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

pub mod attach;
pub mod control;
mod endpoint;
pub mod history;
mod http;
pub mod lab;
mod lines;
pub mod outlet;
mod resource;
pub mod search;
mod select;
pub mod send;
mod sockets;

pub use attach::Attachment;
pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
pub use lines::Lines;
pub use resource::{ConsoleRef, OutletRef, Resource};
