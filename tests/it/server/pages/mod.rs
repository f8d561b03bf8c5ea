//! The pages of a lab: what a person does with a browser, and what is shown to whom.

mod job;
mod looks;
mod rights;
mod story;
