//! Another protocol on a port of HTTP, told apart by the first word that a client sends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The methods of HTTP, as whoever sends one begins: RFC 9110, 9.3, and RFC 5789.
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];
/// A first word is no longer, as far as it matters, in bytes.
const LONGEST: usize = 16;
/// How long a client may take for its first word, and how often we look at a part of it.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Serves clients that do not speak HTTP.
pub struct Other(pub Serve);

/// Serves one of them until `shutdown`.
type Serve =
    Box<dyn Fn(TcpStream, SocketAddr, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// Whether a client speaks HTTP. Nothing is read.
///
/// # Errors
/// When it has gone, or says nothing for too long.
pub(super) async fn speaks_http(stream: &TcpStream) -> io::Result<bool> {
    let mut begin = [0; LONGEST];
    let told = timeout(PATIENCE, async {
        loop {
            let count = stream.peek(&mut begin).await?;
            let begin = &begin[..count];
            if let Some(is) = is_http(begin) {
                return Ok(is);
            }
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            sleep(PAUSE).await;
        }
    });
    told.await?
}

/// Whether what begins so is HTTP; `None` when it may still become either.
fn is_http(begin: &[u8]) -> Option<bool> {
    let end = begin.iter().position(|byte| !byte.is_ascii_alphabetic());
    match end {
        Some(end) => Some(begin[end] == b' ' && METHODS.contains(&&begin[..end])),
        None if begin.len() == LONGEST => Some(false),
        None => METHODS.iter().all(|method| !method.starts_with(begin)).then_some(false),
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Other").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for (begin, is) in [
            ("GET /power/contr", Some(true)),
            ("OPTIONS * HTTP/1", Some(true)),
            ("GE", None),
            ("GET", None),
            ("", None),
            ("rack1 1 on", Some(false)),
            ("r", Some(false)),
            ("GETTER 1 on", Some(false)),
            ("GET\tx", Some(false)),
            ("get / HTTP/1.1", Some(false)),
            ("\u{16}\u{3}\u{1}", Some(false)),
        ] {
            assert_eq!(is_http(begin.as_bytes()), is, "{begin:?}");
        }
    }
}
