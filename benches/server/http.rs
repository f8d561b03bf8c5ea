//! One connection to a server, on which requests follow each other.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

pub(crate) struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    pub(crate) async fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The body of an answer, which is to be a good one.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
        let length = self.begin(method, path, body).await?.context("no content-length")?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    pub(crate) async fn json(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Ok(serde_json::from_slice(&self.ask(method, path, &body).await?)?)
    }

    /// The next `data:` of events that were asked for; `None` at their end.
    pub(crate) async fn event(&mut self) -> Result<Option<String>> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Ok(Some(data.trim_end().to_owned()));
            }
        }
    }

    /// Asks, and reads the head of the answer: how long its body is, if that is said.
    pub(crate) async fn begin(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Option<usize>> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(head.as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status: u16 = line.split_whitespace().nth(1).context("no answer")?.parse()?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(said) = lower.strip_prefix("content-length:") {
                length = Some(said.trim().parse()?);
            }
        }
        if status >= 400 {
            let mut why = vec![0; length.unwrap_or(0)];
            self.stream.read_exact(&mut why).await?;
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&why));
        }
        Ok(length)
    }
}
