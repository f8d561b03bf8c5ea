//! One HTTP request to a daemon: JSON in, JSON out.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Endpoint, Login};
use crate::model::{Behalf, Failure, Kind, Refusal};

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A connection, to be driven for as long as its answer is read.
pub(super) type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorText,
}

/// A [`Failure`] as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorText {
    pub kind: Kind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Of what is refused, who or what stands against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Of bytes that were to be sent: how many were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
}

impl From<ErrorText> for Failure {
    fn from(error: ErrorText) -> Self {
        let ErrorText { kind, message, hint, refusal, .. } = error;
        Self { kind, message, hint, refusal }
    }
}

impl From<Failure> for ErrorText {
    fn from(Failure { kind, message, hint, refusal }: Failure) -> Self {
        Self { kind, message, hint, refusal, sent: None }
    }
}

impl ErrorBody {
    /// The failure, as it comes from a daemon.
    pub(super) fn failure(self, status: StatusCode, from: &Endpoint) -> Failure {
        let failure = Failure::from(self.error);
        if status == StatusCode::UNAUTHORIZED && !from.is_private() {
            let what = "no token was shown, for";
            let message = format!("{}; {what} {from} can be read on the way", failure.message);
            return Failure { message, ..failure }.hint("use https://, or a tunnel to 127.0.0.1");
        }
        failure
    }
}

/// A daemon's HTTP interface. Each request has a connection of its own.
#[derive(Debug, Clone)]
pub struct Http {
    endpoint: Endpoint,
    login: Login,
    /// How long a whole request may take.
    timeout: Duration,
}

impl Http {
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, login: Login::default(), timeout: Duration::from_secs(30) }
    }

    /// The same with another token or CA.
    pub fn with_login(self, login: Login) -> Self {
        Self { login, ..self }
    }

    /// The same with another limit on how long a whole request may take.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// # Errors
    /// The daemon's own failure where it gave one; else [`Kind::Lab`]. So for all of the verbs here.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::GET, path, None).await?)
    }

    /// Waits for an answer, whatever it says.
    ///
    /// # Errors
    /// [`Kind::Lab`] when there is none.
    pub async fn is_there(&self, path: &str) -> Result<(), Failure> {
        self.answered(Method::GET, path, None).await.map(|_| ())
    }

    /// The answer's body as it is.
    pub async fn get_bytes(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Method::GET, path, None).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::DELETE, path, None).await?)
    }

    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::PUT, path, Some(json(body)?)).await?)
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::POST, path, Some(json(body)?)).await?)
    }

    /// Sends bytes as they are.
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::POST, path, Some(body)).await?)
    }

    /// The same, with all that the daemon says of a failure.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ErrorText> {
        let (status, body) = self.answered(Method::POST, path, Some(json(body)?)).await?;
        if status.is_success() {
            return Ok(self.decode(path, &body)?);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => error,
            Err(_) => self.refusal(path, status, &body).into(),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<T, Failure> {
        self.decode(path, &self.send(Method::PATCH, path, Some(bytes)).await?)
    }

    fn decode<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, Failure> {
        // An empty body is how a daemon says "done" when there is nothing to add.
        let body = if body.is_empty() { b"null" } else { body };
        serde_json::from_slice(body).map_err(|error| {
            let what =
                format!("{}{path} gave an answer that is not understood: {error}", self.endpoint);
            Failure::new(Kind::Lab, what)
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Bytes, Failure> {
        let (status, body) = self.answered(method, path, body).await?;
        if status.is_success() { Ok(body) } else { Err(self.refusal(path, status, &body)) }
    }

    async fn answered(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let exchange = self.exchange(method, path, body);
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            let seconds = self.timeout.as_secs_f32();
            let what = format!("{}{path} did not answer within {seconds} s", self.endpoint);
            Err(Failure::new(Kind::Lab, what))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let (response, mut connection) = self.start(method, path, body).await?;
        let status = response.status();
        let body = async {
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            body.map_err(|error| Failure::new(Kind::Lab, error.to_string()))
        };
        let mut body = std::pin::pin!(body);
        let body = tokio::select! {
            body = &mut body => body?,
            _ = &mut connection => body.await?,
        };
        Ok((status, body.to_bytes()))
    }

    /// Makes a request and waits for the head of its answer. The connection has to be driven for
    /// the body to come.
    pub(super) async fn start(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(Response<Incoming>, Connection), Failure> {
        let stream = TokioIo::new(self.endpoint.connect(&self.login).await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|e| self.broken(&e))?;
        let host = self.endpoint.host();
        // What is patched here are files, and everything else is a document.
        let kind = match method {
            Method::PATCH => "application/octet-stream",
            _ => "application/json",
        };
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if let Some(token) = self.endpoint.authorization(&self.login)? {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(behalf) = self.login.behalf()? {
            request = request.header(Behalf::HEADER, behalf);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())));
        let request = request.map_err(|error| Failure::from_error(Kind::User, &error))?;
        // The connection is driven beside the exchange, so that no task outlives the request.
        let mut connection: Connection = Box::pin(connection);
        let response = {
            let mut response = std::pin::pin!(sender.send_request(request));
            tokio::select! {
                response = &mut response => response,
                _ = &mut connection => response.await,
            }
        };
        Ok((response.map_err(|error| self.broken(&error))?, connection))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn broken(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        let what = crate::model::failure::chain(error);
        Failure::new(Kind::Lab, format!("the connection to {} broke: {what}", self.endpoint))
    }

    /// What an answer says that is not a success.
    pub(super) fn refusal(&self, path: &str, status: StatusCode, body: &[u8]) -> Failure {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => body.failure(status, &self.endpoint),
            Err(_) => {
                let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
                let what = format!("{}{path} answered {status}: {}", self.endpoint, text.trim());
                Failure::new(Kind::Lab, what)
            }
        }
    }
}

/// A body as it is sent.
fn json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|error| Failure::from_error(Kind::Bug, &error))
}
