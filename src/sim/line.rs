//! A serial line: a UART that takes its time, and the wire that leads away from it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What one byte takes at 115200 baud, 8N1: ten bits.
const BYTE_TIME: Duration = Duration::from_nanos(86_806);
/// Bytes that leave in one piece; a UART's FIFO is of this order.
const BURST: usize = 64;
/// How far the line may catch up when the system woke us late.
const CATCH_UP: Duration = Duration::from_millis(2);
/// Pieces that a client may be behind before it loses some, as on a wire nobody listens to.
const WIRE_PIECES: usize = 1024;
/// Pieces of input on their way to the board. When they are full, the typist waits.
const INPUT_PIECES: usize = 16;
/// The largest piece of input, in bytes.
const INPUT_SIZE: usize = 1024;

/// The character of Ctrl-C.
pub const CTRL_C: u8 = 0x03;

/// The board's end of a serial line.
#[derive(Debug)]
pub struct Uart {
    output: broadcast::Sender<Bytes>,
    input: mpsc::Receiver<Bytes>,
    /// Received, not read yet. At most what one round of receiving gave.
    received: VecDeque<u8>,
    /// When the last byte that was written has left.
    busy_until: Instant,
}

/// The other end, for any number of clients. The board hears them all.
#[derive(Debug, Clone)]
pub struct Wire {
    to_board: mpsc::Sender<Bytes>,
    from_board: broadcast::Sender<Bytes>,
}

/// A new serial line.
pub fn line() -> (Uart, Wire) {
    let (to_board, input) = mpsc::channel(INPUT_PIECES);
    let (output, _) = broadcast::channel(WIRE_PIECES);
    let wire = Wire { to_board, from_board: output.clone() };
    (Uart { output, input, received: VecDeque::new(), busy_until: Instant::now() }, wire)
}

impl Uart {
    /// Prints text, each `\n` as a terminal wants it. Takes the time it takes at 115200 baud.
    pub async fn print(&mut self, text: &str) {
        self.write(text.replace('\n', "\r\n").as_bytes()).await;
    }

    /// Sends bytes at the line's speed. When dropped, what has not left is lost.
    pub async fn write(&mut self, bytes: &[u8]) {
        for burst in bytes.chunks(BURST) {
            tokio::time::sleep_until(self.busy_until).await;
            self.put(Bytes::copy_from_slice(burst));
        }
    }

    /// Sends what another machine's UART has paced already.
    pub fn put(&mut self, bytes: Bytes) {
        let from = self.busy_until.max(Instant::now() - CATCH_UP);
        self.busy_until = from + BYTE_TIME * bytes.len() as u32;
        // Nobody listens: a board does not notice.
        let _ = self.output.send(bytes);
    }

    /// The next byte that was typed. Cancel safe.
    pub async fn read(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.received.pop_front() {
                return byte;
            }
            self.receive().await;
        }
    }

    /// The next piece that was typed. Cancel safe.
    pub async fn read_piece(&mut self) -> Bytes {
        match self.input.recv().await {
            Some(piece) => piece,
            // The wire is cut: nothing will ever come.
            None => std::future::pending().await,
        }
    }

    /// Whether Ctrl-C was typed by now; it and all that was typed before it is gone then.
    pub fn interrupted(&mut self) -> bool {
        // Only as much as is read soon: the rest waits in its queue, and the typist with it.
        if self.received.len() < INPUT_SIZE
            && let Ok(piece) = self.input.try_recv()
        {
            self.received.extend(piece);
        }
        match self.received.iter().rposition(|&byte| byte == CTRL_C) {
            Some(at) => {
                self.received.drain(..=at);
                true
            }
            None => false,
        }
    }

    /// Waits, but not beyond a Ctrl-C; says whether there was one. Cancel safe.
    pub async fn pause(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.interrupted() {
            let more = self.received.len() < INPUT_SIZE;
            tokio::select! {
                () = tokio::time::sleep_until(end) => return false,
                () = self.receive(), if more => {}
            }
        }
        true
    }

    /// Swallows whatever is typed, for ever.
    pub async fn ignore_input(&mut self) -> std::convert::Infallible {
        loop {
            self.received.clear();
            self.receive().await;
        }
    }

    async fn receive(&mut self) {
        let piece = self.read_piece().await;
        self.received.extend(piece);
    }
}

impl Wire {
    /// All that the board sends from now on.
    pub fn listen(&self) -> broadcast::Receiver<Bytes> {
        self.from_board.subscribe()
    }

    /// Types. Waits while the board has too much to read already. Cancel safe.
    pub async fn send(&self, bytes: impl Into<Bytes>) {
        // A board that is no more hears nothing.
        let _ = self.to_board.send(bytes.into()).await;
    }

    /// Connects clients of a socket to the line until `shutdown`.
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
                    tracing::warn!(%error, "a serial line cannot accept a client");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        clients.close();
        clients.wait().await;
    }

    async fn client(self, stream: UnixStream) {
        let mut output = self.listen();
        let (mut reader, mut writer) = stream.into_split();
        let from_client = async {
            let mut buffer = [0; INPUT_SIZE];
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                self.send(Bytes::copy_from_slice(&buffer[..length])).await;
            }
        };
        let to_client = async {
            loop {
                match output.recv().await {
                    Ok(piece) if writer.write_all(&piece).await.is_ok() => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    _ => break,
                }
            }
        };
        tokio::select! {
            () = from_client => {}
            () = to_client => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_take_the_time_they_take_at_115200_baud() {
        let (mut uart, wire) = line();
        let mut heard = wire.listen();
        let start = Instant::now();
        uart.write(&[b'x'; 11_520]).await;
        uart.write(b"y").await;
        let took = start.elapsed();
        assert!((Duration::from_millis(995)..Duration::from_millis(1010)).contains(&took));
        let mut length = 0;
        while let Ok(piece) = heard.try_recv() {
            length += piece.len();
        }
        assert_eq!(length, 11_521);
    }

    #[tokio::test(start_paused = true)]
    async fn ctrl_c_ends_a_pause_and_takes_what_was_typed_before_with_it() {
        let (mut uart, wire) = line();
        wire.send("abc\x03d").await;
        assert!(uart.pause(Duration::from_secs(5)).await);
        assert_eq!(uart.read().await, b'd');
        wire.send("ef").await;
        assert!(!uart.pause(Duration::from_secs(5)).await);
        assert_eq!([uart.read().await, uart.read().await], *b"ef");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paste_waits_for_a_busy_board_and_is_not_lost() {
        let (mut uart, wire) = line();
        let paste = async {
            for _ in 0..100 {
                wire.send(vec![b'p'; INPUT_SIZE]).await;
            }
            wire.send("\x03").await;
        };
        let board = async {
            uart.pause(Duration::from_secs(1)).await;
            assert!(uart.received.len() <= 2 * INPUT_SIZE);
            let mut count = 0;
            while uart.read().await != CTRL_C {
                count += 1;
            }
            count
        };
        assert_eq!(tokio::join!(paste, board).1, 100 * INPUT_SIZE);
    }
}
