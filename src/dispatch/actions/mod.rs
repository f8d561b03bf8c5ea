//! The actions, one per file, by LAVA's names.

pub mod boot;
mod command;
pub mod deploy;
mod finalize;
mod group;
mod nothing;
mod power_off;
mod read_feedback;
pub mod test;

pub use command::{Before, Command, undo};
pub use finalize::{Finalize, tidy};
pub use group::Group;
pub use nothing::{NotYet, Nothing};
pub use power_off::PowerOff;
pub use read_feedback::ReadFeedback;
