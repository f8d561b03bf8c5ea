//! Names, states, events and failures: the words of DESIGN as types. No I/O, no runtime.

pub mod event;
pub mod failure;
pub mod latin1;
pub mod line;
pub mod name;
pub mod outlet;
pub mod units;

pub use event::{Event, What};
pub use failure::{Failure, Kind};
pub use name::{Name, shown, user_text};
pub use outlet::{OutletInfo, PowerRequest, Report, State, Verb, Verified};
