//! Serial adapters: what they are called, what becomes of them, and how they come and go. The host's
//! devices are made up; `real_adapter` has real ones.

mod command;
mod found;
mod names;
mod replug;
