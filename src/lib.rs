//! Lavamux: the software of a board lab.
//!
//! The modules in dependency order: each imports only from those above it (`tests/it/architecture/`
//! checks that). ARCHITECTURE.md tells how they work together.
//!
//! - [`model`]: names, states, events, failures. No I/O.
//! - [`wire`]: codecs that know no socket: frames, attach messages, escapes, telnet.
//! - [`sys`]: terminals and ptys; the only `unsafe` code.
//! - [`config`]: TOML and YAML documents with places, and all their problems at once.
//! - [`yaml`]: the only user of the YAML library.
//! - [`template`]: LAVA's Jinja2 templates; the only user of the Jinja library.
//! - [`sim`]: virtual boards for `lava demo` and tests, and a simulated UART.
//! - [`import`]: the configuration files of other console servers, read into ours.
//! - [`adapter`]: the serial adapters of this host: their names, their comings and goings.
//! - [`port`]: the transports behind a console.
//! - [`capture`]: the durable record of a console.
//! - [`console`]: ring, attach, write lock, screen.
//! - [`client`]: talks HTTP and WebSocket to the daemons.
//! - [`outlet`]: the drivers of power units.
//! - [`power`]: the verbs on, off, cycle and status; who may, and what is left of it.
//! - [`image`]: download, unpack, and archives for boards.
//! - [`dispatch`]: LAVA jobs as a pipeline of actions.
//! - [`store`]: what a server remembers: the only SQL.
//! - [`sched`]: who gets which board, and when, as pure decisions.
//! - [`server`]: boards, requests, leases and jobs of a lab.
//! - [`front`]: what people and programs see: command lines, HTTP, telnet, raw TCP, conmux.
//! - [`daemon`]: start-up, readiness, signals, shutdown.

pub mod adapter;
pub mod capture;
pub mod client;
pub mod config;
pub mod console;
pub mod daemon;
pub mod dispatch;
pub mod front;
pub mod image;
pub mod import;
pub mod model;
pub mod outlet;
pub mod port;
pub mod power;
pub mod sched;
pub mod server;
pub mod sim;
pub mod store;
pub mod sys;
pub mod template;
pub mod wire;
pub mod yaml;
