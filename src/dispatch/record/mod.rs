//! What is left of a job that has run: its log and its results, read again and written in the forms
//! that other programs take.

mod entry;
mod filter;
mod junit;
mod lava;
mod outcome;
mod report;
mod tap;
mod view;

pub use entry::{Entry, begin, read};
pub use filter::{Filter, Origin};
pub use junit::junit;
pub use lava::{export, log_line, results_yaml};
pub use outcome::{Outcome, Reading};
pub use report::{Report, Suite, Timed};
pub use tap::tap;
pub use view::{Action, Found, Row, View, Wanted};

/// A text of so many bytes at most; what is left out is shown by a mark.
pub fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
