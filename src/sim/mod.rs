//! Simulated boards for `lava demo` and tests. What they print says that they are simulated.
//!
//! A machine is reached by two Unix sockets, as a real board is by two cables: its serial line
//! ([`line`]) and its power ([`control`]). The line outlives power: a board that is off is silent
//! and ignores input. Behind the sockets is a [`machine::Machine`]: the virtual [`board`], or a
//! real boot loader and kernel in QEMU ([`qemu`]).
//!
//! [`uart`] is the other kind of simulation: a serial adapter, for `sim:uart` ports.

pub mod board;
pub mod control;
pub mod line;
pub mod machine;
pub mod qemu;
pub mod uart;
