//! Consoles for the clients of conmux: `conmux-console`, `conmux-attach`, and the bots of test farms.
//!
//! The registry tells them at which address a board's console is; there they say who they are, and from
//! then on bytes pass in both directions, with the `~$` escapes carried out here. Nobody is
//! authenticated.

mod client;
mod command;
mod connect;
mod directory;
mod look;
mod notice;
mod power;
mod receiver;
mod registry;
mod sender;

pub use client::{Client, ConmuxState, Means, MeansNow, serve};
pub use directory::Directory;
pub use registry::serve_registry;
