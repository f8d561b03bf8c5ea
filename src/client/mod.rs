//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

pub mod attach;
mod endpoint;
pub mod history;
mod http;
pub mod lab;
mod lines;
mod login;
pub mod outlet;
mod resource;
pub mod search;
mod sockets;

pub use attach::Attachment;
pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
pub use lines::Lines;
pub use login::Login;
pub use resource::{ConsoleRef, OutletRef, Resource};
