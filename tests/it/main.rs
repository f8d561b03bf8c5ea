//! The integration tests, in one binary: the real programs, started on ports of their own.
//!
//! `tests/run` prepares what they need and runs them. A test whose needs are missing fails and
//! says so; none is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking, and tell why"
)]

mod common;

mod adapter;
mod architecture;
mod attach;
mod bad_input;
mod cli;
mod conmux;
mod console;
mod demo;
mod dispatch;
mod faults;
mod feed;
mod flood;
mod health;
mod house;
mod import;
mod labgrid;
mod package;
mod past;
mod power;
mod qemu_group;
mod qemu_jobs;
mod qemu_roots;
mod qemu_shell;
mod real_adapter;
mod real_board;
mod real_ssh;
mod reload;
mod restart;
mod rfc2217;
mod rights;
mod serial;
mod server;
mod service;
mod ssh;
mod strangers;
mod tls;
mod tui;
mod web;
