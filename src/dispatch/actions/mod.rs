//! The actions, one per file, by LAVA's names.

pub mod boot;
pub mod deploy;
mod finalize;
mod group;
mod nothing;
mod power_off;
mod read_feedback;
pub mod test;
mod user_command;
mod waits;

pub use finalize::{Finalize, tidy, undo};
pub use group::Group;
pub use nothing::Nothing;
pub use power_off::PowerOff;
pub use read_feedback::ReadFeedback;
pub use user_command::UserCommand;
pub use waits::WaitUsb;
