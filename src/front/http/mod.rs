//! HTTP for the daemons: the listener that closes bad clients, and failures as JSON.

mod error;
mod pages;
pub mod power;
mod query;
pub mod serial;
mod serve;
mod socket;
mod websocket;

pub use error::ApiError;
pub use pages::refuse_foreign_pages;
pub use query::Params;
pub use serve::{Listener, Peer, serve};
pub use socket::Socket;

/// What a daemon serves by HTTP.
pub type App = axum::Router;
