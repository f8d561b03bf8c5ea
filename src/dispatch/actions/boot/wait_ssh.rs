//! `wait-for-ssh`: a board is up when its SSH server answers.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::job::SshServer;
use crate::dispatch::validate::Checks;

/// How a server begins that speaks the protocol (RFC 4253, 4.2); other lines may come before.
const BANNER: &[u8] = b"SSH-2.0-";
/// So many bytes at most may come until then.
const MOST: u64 = 16 * 1024;
/// Who accepts a connection, as what forwards one does at once, and says nothing for so long is not there yet.
const SILENCE: Duration = Duration::from_secs(5);
/// So long the console is listened to before the next try.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct WaitForSsh {
    pub server: SshServer,
}

impl Action for WaitForSsh {
    fn name(&self) -> &'static str {
        "wait-for-ssh"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.server.host.is_empty() || self.server.port == 0 {
                checks.fault("wait_ssh: it says no host, or no port");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let SshServer { host, port } = &self.server;
            context.log.info(format!("waiting for the SSH server at {host}:{port}"));
            let mut told = String::new();
            loop {
                let tried = timeout(SILENCE, banner(host, *port)).await;
                let why = match tried {
                    Ok(Ok(banner)) => {
                        context.log.info(format!("it is there: {banner}"));
                        return Ok(());
                    }
                    Ok(Err(why)) => why.to_string(),
                    Err(_) => format!("it has said nothing for {} s", SILENCE.as_secs()),
                };
                if why != told {
                    context.log.debug(format!("not yet: {why}"));
                    told = why;
                }
                // What the board says meanwhile is of interest, and its end above all.
                context.session()?.drain(PAUSE, PAUSE).await?;
            }
        })
    }
}

/// What a server says first of itself. Cancel safe: the connection ends.
async fn banner(host: &str, port: u16) -> std::io::Result<String> {
    let server = TcpStream::connect((host, port)).await?;
    let mut lines = BufReader::new(server.take(MOST));
    let mut line = Vec::new();
    while !line.starts_with(BANNER) {
        line.clear();
        if lines.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&line).trim().escape_debug().to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_is_there_when_it_speaks_the_protocol() {
        for (said, there) in [
            ("SSH-2.0-dropbear_2022\r\n", Some("SSH-2.0-dropbear_2022")),
            ("welcome\r\nSSH-2.0-x\x1b[2J\r\n", Some("SSH-2.0-x\\u{1b}[2J")),
            ("HTTP/1.1 400\r\n\r\n", None),
            ("", None),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let answer = async {
                let (mut client, _) = listener.accept().await.unwrap();
                client.write_all(said.as_bytes()).await.unwrap();
            };
            let (found, ()) = tokio::join!(banner("127.0.0.1", port), answer);
            assert_eq!(found.ok().as_deref(), there, "{said:?}");
        }
    }
}
