//! What is left of a job that has run: its log and its results, read again and written in the forms
//! that other programs take.

mod entry;
mod filter;
mod junit;
mod lava;
mod report;
mod tap;
mod view;

pub use entry::{Entry, begin, read};
pub use filter::{Filter, Origin};
pub use junit::junit;
pub use lava::{export, log_line, results_yaml};
pub use report::{Report, Suite, Timed};
pub use tap::tap;
pub use view::{Action, Found, MAX_LINES, Row, View, Wanted};

#[cfg(test)]
mod tests;
