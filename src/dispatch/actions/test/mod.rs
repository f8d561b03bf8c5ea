//! Testing: running definitions in the board's shell.

mod retry;
mod shell;

pub use retry::TestRetry;
