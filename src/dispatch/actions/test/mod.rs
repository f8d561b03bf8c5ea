//! Testing: running definitions in the board's shell, dialogues with it, and watching what it prints
//! by itself.

mod account;
mod calls;
mod docker;
mod follower;
mod interactive;
mod monitor;
mod pattern;
mod retry;
mod services;
mod shell;

pub use account::Account;
pub use docker::DockerTest;
pub use interactive::InteractiveRetry;
pub use monitor::MonitorRetry;
pub use retry::TestRetry;
pub use services::Services;
pub(super) use services::stop_services;
pub(in crate::dispatch) use shell::{CTRL_C, free_shell};

#[cfg(test)]
mod tests;
