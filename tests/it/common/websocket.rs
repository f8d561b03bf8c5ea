//! An attached WebSocket, spoken without our own client: what the protocol says is what is tested.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use lavamux::wire::frame::Frame;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, WebSocket as Socket, client};

use super::heard::Heard;
use super::wait::{LIMIT, wait_until};

/// A session that collects frames and messages until the server closes it or it is dropped.
pub(crate) struct WebSocket {
    stream: TcpStream,
    writer: Mutex<Socket<TcpStream>>,
    bytes: Heard,
    frames: Arc<Mutex<Vec<(u64, usize)>>>,
    times: Arc<Mutex<Vec<u64>>>,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl WebSocket {
    /// Attaches: `attach(address, "panda01", "mode=spy&from=0")`.
    ///
    /// # Panics
    /// When the server refuses.
    #[track_caller]
    pub(crate) fn attach(address: SocketAddr, console: &str, query: &str) -> Self {
        Self::attach_as(address, None, console, query)
    }

    /// The same with a token.
    #[track_caller]
    pub(crate) fn attach_as(
        address: SocketAddr,
        token: Option<&str>,
        console: &str,
        query: &str,
    ) -> Self {
        let url = format!("ws://{address}/consoles/{console}/attach?{query}");
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let (mut socket, _) = client(request, stream.try_clone().unwrap()).unwrap();
        let writer = Socket::from_raw_socket(
            stream.try_clone().unwrap(),
            tokio_tungstenite::tungstenite::protocol::Role::Client,
            None,
        );
        let bytes = Heard::default();
        let frames = Arc::new(Mutex::new(Vec::new()));
        let times = Arc::new(Mutex::new(Vec::new()));
        let when = Arc::clone(&times);
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (heard, seen, said) = (bytes.clone(), Arc::clone(&frames), Arc::clone(&messages));
        std::thread::spawn(move || {
            while let Ok(message) = socket.read() {
                match message {
                    Message::Binary(message) => {
                        let frame = Frame::decode(message).unwrap();
                        seen.lock().unwrap().push((frame.offset, frame.bytes.len()));
                        let each = frame.bytes.iter().map(|_| frame.time_us);
                        when.lock().unwrap().extend(each);
                        heard.push(&frame.bytes);
                    }
                    Message::Text(text) => {
                        said.lock().unwrap().push(serde_json::from_str(&text).unwrap());
                    }
                    _ => {}
                }
            }
            heard.end();
        });
        Self { stream, writer: Mutex::new(writer), bytes, frames, times, messages }
    }

    /// The bytes of the console, in the order in which they came.
    pub(crate) fn heard(&self) -> &Heard {
        &self.bytes
    }

    /// Offset and length of every frame so far.
    pub(crate) fn frames(&self) -> Vec<(u64, usize)> {
        self.frames.lock().unwrap().clone()
    }

    /// The time of every byte so far, in microseconds since the epoch.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.times.lock().unwrap().clone()
    }

    /// Every text message so far.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap().clone()
    }

    pub(crate) fn type_text(&self, text: &str) {
        let message = Message::binary(text.as_bytes().to_vec());
        self.writer.lock().unwrap().send(message).unwrap();
    }

    /// Sends a request as it stands; see `wire::attach::Request`.
    pub(crate) fn ask(&self, request: &str) {
        self.writer.lock().unwrap().send(Message::text(request.to_owned())).unwrap();
    }

    /// Waits for the first message for which `wanted` holds.
    #[track_caller]
    pub(crate) fn expect_message(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        wait_until(LIMIT, what, || {
            found = self.messages().into_iter().find(|message| wanted(message));
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}
