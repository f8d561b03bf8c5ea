//! Talks HTTP and WebSocket to the daemons. Every front and the dispatcher use it.

pub mod attach;
pub mod avh;
mod body;
mod byte_socket;
mod ci;
pub mod control;
mod endpoint;
pub mod feed;
pub mod history;
mod http;
pub mod jobs;
mod json_lines;
pub mod lab;
pub mod lease;
mod listing;
mod login;
mod lookup;
pub mod outlet;
mod resource;
pub mod search;
mod select;
pub mod send;
pub mod server;
mod service;
mod sockets;
pub mod tunnel;

pub use attach::Attachment;
pub use body::Body;
pub use byte_socket::ByteSocket;
pub use endpoint::{Endpoint, Stream};
pub use http::{ErrorBody, ErrorText, Http};
pub use listing::Listing;
pub use login::{Login, lab_and_system_tls, system_tls, user_token_file};
pub use resource::{ConsoleRef, OutletRef, Resource, percent_encoded};
pub use service::{Answer, Form, Service};
pub use sockets::host_sockets;
