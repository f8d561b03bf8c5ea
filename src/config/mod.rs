//! Configuration: documents whose every value knows its place, and all of their problems at once.
//!
//! A file is read into a [`Node`] tree ([`toml`] here, [`crate::yaml`] for YAML). A reader then walks
//! it through [`Table`]s, which note each wrong type, missing value and unknown key in
//! [`Problems`]. Nothing stops at the first one, and nothing is used if there is any.

mod access;
mod addresses;
mod announce;
pub mod board;
mod capture;
pub mod conmux;
mod credential;
pub mod discover;
mod files;
mod glob;
mod http;
mod keys;
pub mod lab;
mod manners;
mod node;
mod port;
pub mod power;
mod problems;
mod runtime_dir;
mod safety;
mod secret;
pub mod serial;
pub mod server;
pub mod ssh;
mod table;
pub mod toml;
pub mod top;
mod url;
mod value;

pub use access::{AccessConfig, CertificateUser, TokenUser};
pub use addresses::Addresses;
pub use announce::AnnounceConfig;
pub use capture::{CaptureOptions, default_capture_dir, state_dir};
pub use files::{read_all, read_text};
pub use glob::Glob;
pub use http::{HttpListen, TlsFiles};
pub use keys::KeyConfig;
pub use manners::{Breaks, Idle, IdleSend, Manners};
pub use node::{Key, Node, Place, Value};
pub use port::{PortError, PortSpec};
pub use problems::{Problem, Problems};
pub use runtime_dir::{job_file, mistrust, runtime_dir};
pub use safety::{Safety, permit, permit_all, permit_all_power};
pub use secret::Secret;
pub use table::{At, Table};
pub use value::{FromNode, Size};
