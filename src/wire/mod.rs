//! Codecs that know no socket: bytes and messages in, bytes and messages out.

pub mod asciicast;
pub mod attach;
pub mod conmux;
pub mod escape;
pub mod exec;
pub mod expect;
pub mod feed;
pub mod frame;
pub mod heard;
pub mod hostlist;
pub mod json_text;
pub mod keyboard;
mod keymap;
pub mod line;
pub mod lines;
pub mod pattern;
pub mod plain;
pub mod powerman;
pub mod request;
pub mod rfc2217;
pub mod search;
pub mod sftp;
pub mod tame;
pub mod telnet;
pub mod view;
pub mod websocket;
