//! Arm Virtual Hardware, played: as much of its REST API as a job needs, over TLS, with the console of its only instance
//! at a port of this host, where a scripted board is. Nothing of Arm's; paths and fields are those of `avh-api` 1.0.5.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::common::{Pki, TestLab};

/// What its only user logs in with, what that is worth then, and the key of the console.
pub(super) const TOKEN: &str = "api-token-4711-of-a-user";
pub(super) const SESSION: &str = "session-0815-of-a-login";
pub(super) const KEY: &str = "key-1234-of-a-console";

/// What is asked of it that it does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// The instance gets into its error state.
    Broken,
    /// It makes an instance, and does not tell.
    Silent,
}

/// The service, which ends with the test's process.
pub(super) struct Avh {
    pub(super) address: SocketAddr,
    seen: Seen,
}

type Seen = Arc<Mutex<All>>;

#[derive(Debug)]
struct All {
    mood: Mood,
    /// Where the console leads.
    board: u16,
    port: u16,
    /// Each question, without what was sent.
    asked: Vec<String>,
    /// What was uploaded: the form, and in it the file.
    uploaded: Vec<u8>,
    created: Value,
    images: Vec<Value>,
    instances: Vec<Value>,
    /// How often the state was asked for.
    looks: usize,
}

impl Avh {
    /// Starts it, with a certificate of the CA `ca.pem` in the lab's folder.
    pub(super) fn start(lab: &TestLab, mood: Mood, board: u16) -> Self {
        Pki::new(lab, "ca").server("avh");
        let chain = CertificateDer::pem_file_iter(lab.path("avh.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(lab.path("avh.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(chain, key).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(All {
            mood,
            board,
            port: address.port(),
            asked: Vec::new(),
            uploaded: Vec::new(),
            created: Value::Null,
            images: Vec::new(),
            instances: Vec::new(),
            looks: 0,
        }));
        let app = Router::new()
            .route("/console/{key}", any(console))
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(seen.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                axum::serve(Tls { listener, acceptor }, app).await.unwrap();
            });
        });
        Self { address, seen }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().asked.clone()
    }

    pub(super) fn created(&self) -> Value {
        self.seen.lock().unwrap().created.clone()
    }

    /// The fields of the upload, and the file.
    pub(super) fn uploaded(&self) -> (String, Vec<u8>) {
        let form = self.seen.lock().unwrap().uploaded.clone();
        let find = |what: &[u8], from: usize| {
            form[from..].windows(what.len()).position(|bytes| bytes == what).map(|at| from + at)
        };
        let file = find(b"name=\"file\"", 0).unwrap();
        let begin = find(b"\r\n\r\n", file).unwrap() + 4;
        let boundary = form[..find(b"\r\n", 0).unwrap()].to_vec();
        let end = find(&[b"\r\n", &boundary[..]].concat(), begin).unwrap();
        (String::from_utf8_lossy(&form[..file]).into_owned(), form[begin..end].to_vec())
    }

    /// How many instances there are, and images.
    pub(super) fn rented(&self) -> (usize, usize) {
        let all = self.seen.lock().unwrap();
        (all.instances.len(), all.images.len())
    }
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn answer(State(seen): State<Seen>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/api").unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = token.unwrap_or_default().to_owned();
    let asked = match parts.uri.query() {
        Some(query) => format!("{} {path}?{query}", parts.method),
        None => format!("{} {path}", parts.method),
    };
    let (status, said) = {
        let mut all = seen.lock().unwrap();
        all.asked.push(asked);
        match path.as_str() {
            "/v1/auth/login" => log_in(&body),
            _ if token != format!("Bearer {SESSION}") => (401, json!({"error": "log in first"})),
            _ => all.answer(&parts.method, &path, &body),
        }
    };
    if status == 0 {
        // Whoever waits for the answer waits in vain.
        std::future::pending::<()>().await;
    }
    let status = StatusCode::from_u16(status).unwrap();
    match said {
        Value::Null => status.into_response(),
        said => (status, [("content-type", "application/json")], said.to_string()).into_response(),
    }
}

fn log_in(body: &[u8]) -> (u16, Value) {
    let login: Value = serde_json::from_slice(body).unwrap_or_default();
    match login == json!({ "apiToken": TOKEN }) {
        true => (200, json!({"token": SESSION, "expiration": "2030-01-01T00:00:00.000Z"})),
        false => (403, json!({"error": "Invalid or expired token", "errorID": "Forbidden"})),
    }
}

impl All {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let words: Vec<&str> = path.split('/').skip(1).collect();
        match (method.as_str(), words.as_slice()) {
            ("GET", ["v1", "models"]) => {
                let model =
                    |name| json!({"type": "iot", "name": name, "flavor": name, "model": name});
                (200, json!([model("imx93"), model("kronos")]))
            }
            ("GET", ["v1", "projects"]) => (
                200,
                json!([{"id": "p-0", "name": "Other"}, {"id": "p-1", "name": "Default Project"}]),
            ),
            ("POST", ["v1", "images"]) => {
                self.uploaded = body.to_vec();
                let (id, name) = ("image-1", field(&self.uploaded, "name"));
                self.images.push(json!({"id": id, "name": name}));
                (200, json!({"status": "active", "id": id, "name": name}))
            }
            ("POST", ["v1", "instances"]) => {
                self.created = serde_json::from_slice(body).unwrap_or_default();
                let id = "instance-1";
                self.instances.push(json!({"id": id, "name": self.created["name"]}));
                let status = if self.mood == Mood::Silent { 0 } else { 200 };
                (status, json!({"id": id, "state": "creating"}))
            }
            ("GET", ["v1", "instances", _, "state"]) => {
                self.looks += 1;
                match (self.looks, self.mood) {
                    (1, _) => (200, json!("creating")),
                    (2, _) => (503, json!({"error": "busy", "errorID": "Busy"})),
                    (_, Mood::Broken) => (200, json!("error")),
                    _ => (200, json!("on")),
                }
            }
            ("GET", ["v1", "instances", _, "console"]) => {
                (200, json!({"url": format!("wss://localhost:{}/console/{KEY}", self.port)}))
            }
            ("GET", ["v1", "instances", _]) => {
                let consoles = json!([{"name": "Safety Island", "info": "other"},
                    {"name": "Primary Compute Non-Secure", "info": KEY}]);
                (200, json!({"error": "the model has crashed", "consoles": consoles}))
            }
            // Not narrowed down, so that who asks has to look.
            ("GET", ["v1", "instances"]) => (200, json!(self.with_others(&self.instances))),
            ("GET", ["v1", "images"]) => (200, json!(self.with_others(&self.images))),
            ("DELETE", ["v1", "instances", id]) => (delete(&mut self.instances, id), Value::Null),
            ("DELETE", ["v2", "images", id]) => (delete(&mut self.images, id), Value::Null),
            _ => (404, json!({"error": "there is no such thing", "errorID": "NotFound"})),
        }
    }

    /// With one that is none of the job's.
    fn with_others(&self, own: &[Value]) -> Vec<Value> {
        [own, &[json!({"id": "another", "name": "somebody else's"})]].concat()
    }
}

fn delete(all: &mut Vec<Value>, id: &str) -> u16 {
    let before = all.len();
    all.retain(|one| one["id"] != id);
    if all.len() < before { 204 } else { 404 }
}

/// A field of a form.
fn field(form: &[u8], name: &str) -> String {
    let form = String::from_utf8_lossy(form);
    let begin = format!("name=\"{name}\"\r\n\r\n");
    let rest = form.split_once(&begin).map(|(_, rest)| rest).unwrap_or_default();
    rest.split("\r\n").next().unwrap_or_default().to_owned()
}

/// A terminal as a WebSocket: what the board says, and what is typed there.
async fn console(
    State(seen): State<Seen>,
    axum::extract::Path(key): axum::extract::Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let board = {
        let mut all = seen.lock().unwrap();
        all.asked.push(format!("console {}", if key == KEY { "KEY" } else { &key }));
        all.board
    };
    if key != KEY {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.on_upgrade(move |socket| async move {
        let (mut to_job, mut from_job) = socket.split();
        let Ok(board) = TcpStream::connect(("127.0.0.1", board)).await else { return };
        let (mut says, mut hears) = board.into_split();
        let mut bytes = vec![0; 4096];
        loop {
            tokio::select! {
                said = says.read(&mut bytes) => match said {
                    Ok(0) | Err(_) => return,
                    Ok(length) => {
                        let piece = Bytes::copy_from_slice(&bytes[..length]);
                        if to_job.send(Message::Binary(piece)).await.is_err() {
                            return;
                        }
                    }
                },
                typed = from_job.next() => match typed {
                    Some(Ok(Message::Binary(typed))) => {
                        if hears.write_all(&typed).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(_)) => {}
                    _ => return,
                },
            }
        }
    })
}
