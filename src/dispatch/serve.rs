//! A file for the board, over HTTP, for as long as an action waits for it.
//!
//! It is at an address that nobody can guess, on the address under which the board knows this host:
//! there is no TLS on a board that has just booted. Nothing else is served, and nobody is told more
//! than that there is nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 8 * 1024;
/// A client that takes or says nothing for this long is left.
const SLOW: Duration = Duration::from_secs(30);
const PIECE: usize = 64 * 1024;
/// So many clients are answered at a time: a stranger who says nothing does not hold up the board.
const CLIENTS: usize = 32;

/// The address to listen on for a board that knows this host as `host`, an address or a name. It is that
/// one where it is this host's. A board behind QEMU's own network knows this host by an address that it
/// has not, and comes from loopback.
///
/// # Errors
/// When nobody knows the name.
pub(super) async fn listening(host: &str) -> io::Result<IpAddr> {
    let address = match host.parse() {
        Ok(address) => address,
        Err(_) => {
            let mut found = lookup_host((host, 0)).await?;
            let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            found.next().ok_or_else(none)?.ip()
        }
    };
    match (UdpSocket::bind((address, 0)), address) {
        (Err(error), _) if error.kind() != io::ErrorKind::AddrNotAvailable => Err(error),
        (Err(_), IpAddr::V4(_)) => Ok(Ipv4Addr::LOCALHOST.into()),
        (Err(_), IpAddr::V6(_)) => Ok(Ipv6Addr::LOCALHOST.into()),
        (Ok(_), address) => Ok(address),
    }
}

/// One file, to be had under its own name below a secret.
#[derive(Debug)]
pub struct Served {
    listener: TcpListener,
    file: PathBuf,
    /// As `/5f0c…/overlay-7.tar.gz`.
    path: String,
    port: u16,
    /// A client has got all of it.
    taken: AtomicBool,
}

impl Served {
    /// Listens where a board comes that knows this host as `host`.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn new(file: &Path, host: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::new(listening(host).await?, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut secret = [0_u8; 16];
        io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut secret)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("/{}/{name}", hex(&secret));
        Ok(Self { listener, file: file.to_owned(), path, port, taken: AtomicBool::new(false) })
    }

    /// The file's URL for a board that knows this host as `host`.
    pub(super) fn url(&self, host: &str) -> String {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("http://{host}:{}{}", self.port, self.path)
    }

    /// Whether a client has got all of the file.
    pub(super) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Serves clients, for ever.
    pub(super) async fn serve(&self) {
        let mut answers = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if answers.len() < CLIENTS => match accepted {
                    Ok((client, _)) => answers.push(self.answer(client)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                // A client that breaks off comes again, or the action's time is over.
                Some(_) = answers.next() => {}
            }
        }
    }

    async fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        let request = tokio::time::timeout(SLOW, request(&mut client)).await??;
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if path != self.path || !matches!(method, "GET" | "HEAD") {
            let nothing = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            return client.write_all(nothing.as_bytes()).await;
        }
        let mut file = tokio::fs::File::open(&self.file).await?;
        let size = file.metadata().await?.len();
        let head = format!(
            "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {size}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await?;
        let mut piece = vec![0; PIECE];
        if method == "HEAD" {
            return client.shutdown().await;
        }
        let mut left = size;
        while left > 0 {
            let read = file.read(&mut piece).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            tokio::time::timeout(SLOW, client.write_all(&piece[..read])).await??;
            left = left.saturating_sub(read as u64);
        }
        // Known before the client can say that it has all.
        self.taken.store(true, Ordering::Relaxed);
        client.shutdown().await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of a request; all of its head is read.
async fn request(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let read = client.read(&mut piece).await?;
        if read == 0 || head.len() > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Fetch, Wanted};

    #[tokio::test]
    async fn the_file_is_had_by_its_url_only() {
        let dir = tempfile::tempdir().unwrap();
        let (file, got) = (dir.path().join("o.tar.gz"), dir.path().join("got"));
        std::fs::write(&file, vec![7; 3 * PIECE + 1]).unwrap();
        // An address that no interface of this host has.
        let served = Served::new(&file, "192.0.2.1").await.unwrap();
        let fetch = Fetch::default();
        let (url, headers) = (served.url("127.0.0.1"), Default::default());
        let other = url.replace("o.tar", "p.tar");
        // Who says nothing is left alone for a while, and nobody waits for it.
        let silent = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        tokio::select! {
            () = served.serve() => {}
            () = async {
                let wanted = |url| Wanted { url, headers: &headers, digest: None, to: &got };
                assert!(fetch.get(&wanted(&other), &|_, _| ()).await.is_err());
                fetch.get(&wanted(&url), &|_, _| ()).await.unwrap();
            } => {}
        }
        assert_eq!(std::fs::read(got).unwrap(), std::fs::read(file).unwrap());
        let ended = silent.try_read(&mut [0; 1]);
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
    #[tokio::test]
    async fn the_address_is_the_one_that_the_board_is_told() {
        for (host, address) in
            [("127.0.0.2", "127.0.0.2"), ("192.0.2.1", "127.0.0.1"), ("localhost", "127.0.0.1")]
        {
            let found = listening(host).await.unwrap();
            let either = host == "localhost" && found.is_loopback();
            assert!(either || found.to_string() == address, "{host}: {found}");
        }
        assert!(listening("no.such.host.invalid").await.is_err());
    }
}
