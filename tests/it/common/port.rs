//! A port that nobody else takes, for a daemon that comes again at the address where it was.

use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};

/// Below what the kernel gives to connections, and held against other tests for as long as this lives.
pub(crate) struct Port {
    number: u16,
    _held: UnixListener,
}

impl Port {
    #[track_caller]
    pub(crate) fn take() -> Self {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let end: u32 = range.split_whitespace().next().unwrap().parse().unwrap();
        let begin = end / 2;
        let first = std::process::id() % (end - begin);
        let numbers = (0..end - begin).map(|at| begin + (first + at) % (end - begin));
        let mut free = numbers.filter_map(|number| {
            let number = u16::try_from(number).ok()?;
            // A name in no folder, which is gone with its process.
            let name = UnixAddr::from_abstract_name(format!("lavamux-test-port-{number}")).ok()?;
            let held = UnixListener::bind_addr(&name).ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            Some(Self { number, _held: held })
        });
        free.next().expect("a free port")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.number))
    }
}
