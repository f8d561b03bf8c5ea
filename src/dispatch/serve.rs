//! A file for the board, over HTTP, for as long as an action waits for it.
//!
//! It is at an address that nobody can guess, on the address under which the board knows this host:
//! there is no TLS on a board that has just booted. Nothing else is served, and nobody is told more
//! than that there is nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 8 * 1024;
/// A client that takes or says nothing for this long is left.
const SLOW: Duration = Duration::from_secs(30);
const PIECE: usize = 64 * 1024;
/// So many clients are answered at a time: a stranger who says nothing does not hold up the board.
const CLIENTS: usize = 32;

/// One file, to be had under its own name below a secret.
#[derive(Debug)]
pub(super) struct Served {
    listener: TcpListener,
    file: PathBuf,
    /// As `/5f0c…/overlay-7.tar.gz`.
    path: String,
    port: u16,
}

impl Served {
    /// Listens on `address`, where it is one of this host's; a board behind QEMU's own network knows
    /// this host by another, and comes from here.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn new(file: &Path, address: &str) -> std::io::Result<Self> {
        let own = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let listener = match TcpListener::bind(SocketAddr::new(own, 0)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let port = listener.local_addr()?.port();
        let mut secret = [0_u8; 16];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut secret)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("/{}/{name}", hex(&secret));
        Ok(Self { listener, file: file.to_owned(), path, port })
    }

    /// The file's URL for a board that knows this host as `host`.
    pub(super) fn url(&self, host: &str) -> String {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("http://{host}:{}{}", self.port, self.path)
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

    async fn answer(&self, mut client: TcpStream) -> std::io::Result<()> {
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
        loop {
            match file.read(&mut piece).await? {
                0 => break,
                read => tokio::time::timeout(SLOW, client.write_all(&piece[..read])).await??,
            }
        }
        client.shutdown().await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of a request; all of its head is read.
async fn request(client: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let read = client.read(&mut piece).await?;
        if read == 0 || head.len() > MAX_REQUEST {
            return Err(std::io::ErrorKind::InvalidData.into());
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
        let fetch = Fetch::new().unwrap();
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
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
