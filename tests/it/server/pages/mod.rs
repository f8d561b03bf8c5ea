//! The pages of a lab: what a person does with a browser, and what is shown to whom.

mod rights;
mod story;
