//! HTTP with services that are not ours, on this host or on the internet. Nothing of the lab's own logins is shown
//! to them, only the token that is said for each question.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::fs::File;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::io::ReaderStream;

use super::{Stream, lab_and_system_tls};
use crate::config::Secret;
use crate::model::failure::chain;

/// How long a connection may take to be made, with TLS.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long a question may take to be answered. Files that are sent take as long as they do.
const ANSWERING: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// So much of an answer that is no JSON is told, in characters.
const MAX_TOLD: usize = 200;
/// What is between the parts of a form; nothing of a form's values has it.
const BOUNDARY: &str = "lavamux-6f5aa0a66d2c4d5f9f0f1d2c3b4a5968";

type Sent = UnsyncBoxBody<Bytes, io::Error>;

/// Where a service is: `https://HOST[:PORT][/PATH]`, or `http://` on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    host: String,
    port: u16,
    tls: bool,
    /// Without a slash at its end.
    path: String,
}

/// What a service has answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    body: Bytes,
}

/// A form with one file, as a browser sends it (RFC 7578).
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    pub fields: &'a [(&'a str, &'a str)],
    /// The field of the file.
    pub field: &'a str,
    pub file: &'a Path,
}

impl Service {
    /// Reads its URL; also `ws://` and `wss://`, which are the same with another protocol behind them.
    ///
    /// # Errors
    /// What is wrong with it, without the URL: there may be a key in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("no URL: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err("expected https://HOST".into()),
        };
        let authority = uri.authority().ok_or("expected https://HOST")?;
        if authority.as_str().contains('@') {
            return Err("a login in a URL is not used; expected https://HOST".into());
        }
        let service = Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            path: uri.path().trim_end_matches('/').to_owned(),
        };
        match service.is_private() {
            true => Ok(service),
            false => Err(format!("{} is on another host: expected https://", service.host)),
        }
    }

    /// Whether nobody reads along.
    fn is_private(&self) -> bool {
        let host = self.bare_host();
        let is_here =
            |host: &str| host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.tls || host == "localhost" || is_here(host)
    }

    /// Whether it is `https://` or `wss://`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// # Errors
    /// Why there is no answer. So for all of the verbs here.
    pub async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Answer, String> {
        self.plain(Method::GET, path, token, None).await
    }

    pub async fn post(
        &self,
        path: &str,
        token: Option<&Secret>,
        body: &impl Serialize,
    ) -> Result<Answer, String> {
        let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        self.plain(Method::POST, path, token, Some(body)).await
    }

    pub async fn delete(&self, path: &str, token: Option<&Secret>) -> Result<Answer, String> {
        self.plain(Method::DELETE, path, token, None).await
    }

    /// Sends a form with a file, which may be large.
    pub async fn send(
        &self,
        path: &str,
        token: Option<&Secret>,
        form: Form<'_>,
    ) -> Result<Answer, String> {
        let on_file = |error: io::Error| format!("{}: {error}", form.file.display());
        let file = File::open(form.file).await.map_err(on_file)?;
        let length = file.metadata().await.map_err(on_file)?.len();
        let (head, tail) = form.around();
        let length = length + (head.len() + tail.len()) as u64;
        let once = |text: String| futures_util::stream::iter([Ok(Bytes::from(text))]);
        let parts = once(head).chain(ReaderStream::new(file)).chain(once(tail));
        let body = StreamBody::new(parts.map_ok(Frame::data)).boxed_unsync();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.exchange(Method::POST, path, token, Some((&kind, length)), body).await
    }

    async fn plain(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, String> {
        let kind = body.as_ref().map(|body| ("application/json", body.len() as u64));
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let body = body.map_err(|never| match never {}).boxed_unsync();
        let exchange = self.exchange(method, path, token, kind, body);
        tokio::time::timeout(ANSWERING, exchange).await.unwrap_or_else(|_| {
            let seconds = ANSWERING.as_secs();
            Err(format!("{} did not answer within {seconds} s", self.authority()))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        kind: Option<(&str, u64)>,
        body: Sent,
    ) -> Result<Answer, String> {
        let broken = |error: &(dyn std::error::Error + 'static)| {
            format!("the connection to {} broke: {}", self.authority(), chain(error))
        };
        let stream = TokioIo::new(self.connect().await?);
        let shaken = hyper::client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = shaken.map_err(|error| broken(&error))?;
        let path = format!("{}{path}", self.path);
        let mut request =
            Request::builder().method(method).uri(&path).header(HOST, self.authority());
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| "the token is no word of letters".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some((kind, length)) = kind {
            request = request.header(CONTENT_TYPE, kind).header(CONTENT_LENGTH, length);
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        // The connection is driven beside the exchange, so that no task outlives the question.
        let asking = async {
            let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| format!("{}: {error}", self.authority()))?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            answer = &mut asking => answer,
            _ = connection => asking.await,
        }
    }

    /// Connects, with TLS where it is to be; known are whom this host and `$LAVA_CA` know.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let connecting = async {
            let stream = TcpStream::connect((self.bare_host(), self.port)).await?;
            stream.set_nodelay(true)?;
            if !self.tls {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let name =
                ServerName::try_from(self.bare_host().to_owned()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(lab_and_system_tls()?).connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let connected = tokio::time::timeout(CONNECTING, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected
            .map_err(|error: io::Error| format!("cannot connect to {}: {error}", self.authority()))
    }
}

impl Form<'_> {
    /// What is in front of the file, and what is behind it.
    fn around(&self) -> (String, String) {
        let mut head = String::new();
        let begin =
            |name: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"");
        for (name, value) in self.fields {
            head += &format!("{}\r\n\r\n{value}\r\n", begin(name));
        }
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().filter(|c| !"\"\\\r\n".contains(*c)).collect();
        head += &format!(
            "{}; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
            begin(self.field)
        );
        (head, format!("\r\n--{BOUNDARY}--\r\n"))
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// # Errors
    /// Why it is not what was expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// What it says of a failure: its `error` or `message`, else the beginning of it.
    pub fn told(&self) -> String {
        let json = self.json::<serde_json::Value>().unwrap_or_default();
        let named = ["error", "message"].into_iter().find_map(|key| json.get(key)?.as_str());
        named.map_or_else(|| self.text(), ToOwned::to_owned).chars().take(MAX_TOLD).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_other_hosts_only_by_tls() {
        let arm = Service::parse("https://app.avh.arm.com/api/").unwrap();
        assert_eq!((arm.authority().as_str(), arm.path.as_str()), ("app.avh.arm.com:443", "/api"));
        assert_eq!(
            Service::parse("wss://[::1]:8443/console?key=1").unwrap().authority(),
            "[::1]:8443"
        );
        for url in ["http://127.0.0.1:12901", "http://localhost/nodebooter", "ws://[::1]:80/x"] {
            assert!(Service::parse(url).is_ok(), "{url}");
        }
        for url in
            ["http://app.avh.arm.com/api", "ftp://h/x", "app.avh.arm.com", "https://a:b@h/x", ""]
        {
            let told = Service::parse(url).unwrap_err();
            assert!(told.contains("https://") || told.contains("no URL"), "{url}: {told}");
        }
    }
}
