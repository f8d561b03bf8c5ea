//! Testing: running definitions in the board's shell.

mod other;
mod retry;
mod shell;

pub use other::OtherRetry;
pub use retry::TestRetry;
