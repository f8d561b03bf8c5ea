//! Codecs that know no socket: bytes and messages in, bytes and messages out.

pub mod attach;
pub mod conmux;
pub mod escape;
pub mod frame;
pub mod rfc2217;
pub mod telnet;
pub mod websocket;
