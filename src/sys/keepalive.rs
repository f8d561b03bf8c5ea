//! Noticing peers that are gone without a word.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// A silent connection is probed after this time …
const IDLE: Duration = Duration::from_secs(60);
/// … this often …
const INTERVAL: Duration = Duration::from_secs(15);
/// … and given up after so many probes without an answer.
const PROBES: u32 = 4;

/// Makes the kernel end a TCP connection whose peer does not answer any more.
///
/// # Errors
/// What the system says.
pub fn keep_alive(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    Ok(())
}
