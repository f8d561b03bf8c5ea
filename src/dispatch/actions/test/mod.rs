//! Testing: running definitions in the board's shell, dialogues with it, and watching what it prints
//! by itself.

mod calls;
mod docker;
mod follower;
mod interactive;
mod monitor;
mod pattern;
mod retry;
mod shell;

pub use docker::DockerTest;
pub use interactive::InteractiveRetry;
pub use monitor::MonitorRetry;
pub use retry::TestRetry;

#[cfg(test)]
mod tests;
