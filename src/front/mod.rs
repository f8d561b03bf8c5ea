//! What people and programs see of Lavamux.

pub mod cli;
pub mod hand_over;
pub mod http;
pub mod line;
