//! The power cable of a simulated board: a socket that speaks lines.
//!
//! A client sends `on`, `off` or `status`; each is answered with one line: `on` or `off`, the
//! state after it, or `error TEXT`.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest line a client may send, in bytes. A longer one closes its connection.
const MAX_LINE: u64 = 64;
/// Orders that wait for the machine.
const ORDERS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    On,
    Off,
    Status,
}

/// Something to do to a machine's power.
#[derive(Debug)]
pub struct Order {
    pub verb: Verb,
    /// Takes whether it is on now, or what went wrong.
    answer: oneshot::Sender<Result<bool, String>>,
}

impl Order {
    /// Answers. Whoever asked may be gone by now.
    pub fn reply(self, answer: Result<bool, String>) {
        let _ = self.answer.send(answer);
    }
}

/// The outlet's end of the power cable.
#[derive(Debug, Clone)]
pub struct Cable(mpsc::Sender<Order>);

/// A new power cable, and the machine's end of it.
pub fn cable() -> (Cable, mpsc::Receiver<Order>) {
    let (sender, receiver) = mpsc::channel(ORDERS);
    (Cable(sender), receiver)
}

impl Cable {
    /// Has something done; says whether the machine is on after it.
    ///
    /// # Errors
    /// What the machine says, as one line. When dropped half-way, the order may still be done.
    pub async fn order(&self, verb: Verb) -> Result<bool, String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the board is being taken down".to_owned();
        self.0.send(Order { verb, answer }).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Answers clients of a socket until `shutdown`.
    pub async fn serve(self, listener: UnixListener, shutdown: CancellationToken) {
        let clients = TaskTracker::new();
        while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    let client = self.clone().client(stream);
                    let shutdown = shutdown.clone();
                    clients.spawn(async move { shutdown.run_until_cancelled(client).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a power cable cannot accept a client");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        clients.close();
        clients.wait().await;
    }

    async fn client(self, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await;
            if !matches!(read, Ok(1..)) || line.last() != Some(&b'\n') {
                return;
            }
            let state = match line.trim_ascii() {
                b"on" => self.order(Verb::On).await,
                b"off" => self.order(Verb::Off).await,
                b"status" => self.order(Verb::Status).await,
                _ => Err("the verbs are on, off and status".to_owned()),
            };
            let answer = match state {
                Ok(true) => "on\n".to_owned(),
                Ok(false) => "off\n".to_owned(),
                Err(text) => format!("error {}\n", text.replace('\n', "; ")),
            };
            if writer.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
