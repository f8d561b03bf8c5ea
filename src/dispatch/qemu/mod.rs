//! Boards that are QEMUs of the job's own.
//!
//! The job starts QEMU as LAVA does, with the words of the device and of the deployed images, and its
//! serial port on standard input and output. A [`line::Line`] carries that to a Unix socket, which
//! stays while QEMUs come and go, as a serial line outlives its board's power. A `lava-serial` of the
//! job's own serves the line as the board's console ([`console::OwnConsole`]): it is recorded in the job's
//! output folder, and people find it on this host by the board's name. The job is one of its clients,
//! as with any board. Both programs die with this process, whatever it dies of.

pub mod command;
pub mod console;
mod line;
mod machine;
mod method;
mod watched;

pub use machine::{Ended, Machine};
pub use method::{Guest, Qemu};
