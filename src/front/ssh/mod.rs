//! The SSH front of a lab: keys are users, and there are no accounts and no shell of this host.
//!
//! [`SshServer`] accepts connections; each has a [`connection::Connection`], which is asked by russh who is
//! let in and what is done on a channel. Every session channel has a task of its own from its opening on
//! ([`session`]), so that one whose client reads nothing holds up no other. What a client sends ahead of its
//! boards waits in the [`room`] of its connection, which is not read any more ([`line`]) when that is full. What somebody asks for is asked of the daemons on
//! their behalf ([`crate::model::Behalf`]): rights are the daemons' to enforce.
//!
//! Breaks of RFC 4335 (ssh's `~B`) are answered with a failure by the library like any channel request that
//! it does not know: neither a handler nor a channel sees them. `~$break` and `break panda01` send one.

mod connection;
mod doors;
mod files;
mod forward;
mod host_key;
mod line;
mod pump;
mod room;
mod server;
mod session;
mod turned;
mod verbs;

pub use host_key::HostKey;
pub use server::SshServer;
