//! What the stories are told with: a lab of real programs, and clients of every kind.
//!
//! ```no_run
//! let lab = TestLab::new();
//! let config = lab.write("serial.toml", "[http]\nlisten = \"127.0.0.1:0\"\n…");
//! let serial = lab.start("lava-serial", ["--config", &config]);
//! let mut alice = Client::raw(serial.address("raw"));
//! alice.type_text("\r");
//! alice.expect("login:");
//! ```
//! Everything started dies with its handle, and with the test's thread if that is killed.

mod board;
mod cable;
mod client;
mod daemon;
mod guest;
mod heard;
mod host;
mod http;
pub(crate) mod job;
mod lab;
mod manager;
mod nfs;
mod pki;
mod port;
pub(crate) mod postgres;
mod process;
mod spy;
mod terminal;
mod tree;
mod wait;
mod websocket;

pub(crate) use board::{RealBoard, RealPdu, boot_file, free_udp_port, rig, udp_port};
pub(crate) use cable::Cable;
pub(crate) use client::Client;
pub(crate) use daemon::Daemon;
pub(crate) use guest::{Guest, PATIENCE};
pub(crate) use heard::Heard;
pub(crate) use host::own_host;
pub(crate) use http::{Answer, http, http_as, http_unix, http_with};
pub(crate) use lab::{TestLab, run};
pub(crate) use manager::Manager;
pub(crate) use nfs::NfsServer;
pub(crate) use pki::Pki;
pub(crate) use port::Port;
pub(crate) use process::{Process, command, needs, program, signal};
pub(crate) use spy::Spy;
pub(crate) use terminal::Terminal;
pub(crate) use tree::{Tree, UsbAdapter, udev_link};
pub(crate) use wait::{LIMIT, happens, wait_until};
pub(crate) use websocket::WebSocket;
