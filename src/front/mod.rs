//! What people and programs see of Lavamux.

mod accept;
mod attempts;
mod board_power;
pub mod cli;
pub mod conmux;
pub mod hand_over;
pub mod http;
pub mod line;
mod outlets;
pub mod pdudaemon;
pub mod powerman;
pub mod ssh;
pub mod tui;
mod web;
