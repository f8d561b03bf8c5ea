//! HTTP with services that are not ours, on this host or on the internet. Nothing of the lab's own logins is shown
//! to them, only the token that is said for each question.

use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::multipart::{self, Part};
use reqwest::{Body, Client, Method, RequestBuilder, Url};
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
/// Where a service is: `https://HOST[:PORT][/PATH]`, or `http://` on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    url: Url,
}

/// What a service has answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    body: Vec<u8>,
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
        let url = Url::parse(url).map_err(|error| format!("no URL: {error}"))?;
        if !matches!(url.scheme(), "https" | "http" | "wss" | "ws") || !url.has_host() {
            return Err("expected https://HOST".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a login in a URL is not used; expected https://HOST".into());
        }
        let service = Self { url };
        match service.is_tls() || service.is_here() {
            true => Ok(service),
            false => Err(format!("{} is on another host: expected https://", service.host())),
        }
    }

    /// Whether it is on this host.
    fn is_here(&self) -> bool {
        let is_loopback =
            |host: &str| host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.host() == "localhost" || is_loopback(self.host())
    }

    /// Whether it is `https://` or `wss://`.
    pub fn is_tls(&self) -> bool {
        matches!(self.url.scheme(), "https" | "wss")
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.port())
    }

    /// An IPv6 address is without its brackets.
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// # Errors
    /// Why there is no answer. So for all of the verbs here.
    pub async fn get(&self, path: &str, token: Option<&Secret>) -> Result<Answer, String> {
        self.question(Method::GET, path, token, |question| question.timeout(ANSWERING)).await
    }

    pub async fn post(
        &self,
        path: &str,
        token: Option<&Secret>,
        body: &impl Serialize,
    ) -> Result<Answer, String> {
        let with_body = |question: RequestBuilder| question.timeout(ANSWERING).json(body);
        self.question(Method::POST, path, token, with_body).await
    }

    pub async fn delete(&self, path: &str, token: Option<&Secret>) -> Result<Answer, String> {
        self.question(Method::DELETE, path, token, |question| question.timeout(ANSWERING)).await
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
        let name = form.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let part = Part::stream_with_length(Body::wrap_stream(ReaderStream::new(file)), length);
        let part = part.file_name(name).mime_str("application/octet-stream");
        let part = part.map_err(|error| error.to_string())?;
        let sent = form.fields.iter().fold(multipart::Form::new(), |sent, (field, value)| {
            sent.text((*field).to_owned(), (*value).to_owned())
        });
        let sent = sent.part(form.field.to_owned(), part);
        self.question(Method::POST, path, token, |question| question.multipart(sent)).await
    }

    async fn question(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, String> {
        let broken = |error: reqwest::Error| match error.is_timeout() {
            true => {
                format!("{} did not answer within {} s", self.authority(), ANSWERING.as_secs())
            }
            false => format!("{}: {}", self.authority(), chain(&error.without_url())),
        };
        let url = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        let mut question = self.client()?.request(method, url);
        if let Some(token) = token {
            question = question.bearer_auth(token.expose());
        }
        let mut answer = with(question).send().await.map_err(broken)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            if body.len() + piece.len() > MAX_ANSWER {
                return Err(format!("{}: an answer of more than 16 MiB", self.authority()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status: answer.status().as_u16(), body })
    }

    /// One for each question: no connection, and so no task, outlives it.
    fn client(&self) -> Result<Client, String> {
        let none = |error: &(dyn std::error::Error + 'static)| format!("no HTTP: {}", chain(error));
        let mut client = Client::builder()
            .connect_timeout(CONNECTING)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .http1_only();
        let tls = lab_and_system_tls().map_err(|error| none(&error))?;
        client = client.tls_backend_preconfigured(tls.as_ref().clone());
        if self.is_here() {
            // Whatever proxy there is for the web, it is not the way to this host.
            client = client.no_proxy();
        }
        client.build().map_err(|error| none(&error))
    }

    /// Connects, with TLS where it is to be; known are whom this host and `$LAVA_CA` know.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let connecting = async {
            let stream = TcpStream::connect((self.host(), self.port())).await?;
            stream.set_nodelay(true)?;
            if !self.is_tls() {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let name = ServerName::try_from(self.host().to_owned()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(lab_and_system_tls()?).connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let connected = tokio::time::timeout(CONNECTING, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected
            .map_err(|error: io::Error| format!("cannot connect to {}: {error}", self.authority()))
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
        assert_eq!((arm.authority().as_str(), arm.url.path()), ("app.avh.arm.com:443", "/api/"));
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
