//! Many boards that print at the speed of a serial line, and somebody who reads each of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::printed;

/// Bytes per second of a line of 115200 baud, and how often a board prints a part of them.
const RATE: u64 = 11_520;
const PARTS: u64 = 10;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Bytes that each board has printed, and that its client has got, each in its place.
    pub(super) each: u64,
    /// How far any board was behind its line at worst.
    pub(super) behind: Duration,
    pub(super) wrong: Vec<String>,
}

/// The boards' ends of their lines, before anybody connects.
pub(super) struct Boards(Vec<UnixListener>);

impl Boards {
    /// Board number `n` is at `FOLDER/n`. To be called within a runtime.
    pub(super) fn bind(folder: &Path, count: usize) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let bind = |number| UnixListener::bind(folder.join(format!("{number}"))).unwrap();
        Self((0..count).map(bind).collect())
    }

    /// Waits for the daemon and for a client at each of its raw ports; then all boards print for so
    /// long, and every byte that comes out is looked at.
    pub(super) async fn print(self, raw: Vec<SocketAddr>, time: Duration) -> Outcome {
        let mut lines = Vec::new();
        for board in &self.0 {
            lines.push(board.accept().await.unwrap().0);
        }
        let mut clients = Vec::new();
        for address in raw {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let each = RATE * time.as_secs() / PARTS * PARTS;
        let behind = Arc::new(AtomicU64::new(0));
        let (mut printing, mut reading) = (JoinSet::new(), JoinSet::new());
        // Not all in the same moment.
        let begin = Instant::now() + Duration::from_secs(1);
        for (number, (line, client)) in lines.into_iter().zip(clients).enumerate() {
            let shift = Duration::from_millis(100) * number as u32 / 1000;
            printing.spawn(print(number, line, begin + shift, each, behind.clone()));
            reading.spawn(read(number, client, each));
        }
        let mut outcome = Outcome { each, ..Outcome::default() };
        loop {
            tokio::select! {
                ended = reading.join_next() => match ended {
                    Some(ended) => outcome.wrong.extend(ended.unwrap()),
                    None => break,
                },
                Some(ended) = printing.join_next() => {
                    outcome.wrong.push(ended.unwrap());
                    break;
                }
            }
        }
        outcome.behind = Duration::from_millis(behind.load(Ordering::Relaxed));
        outcome
    }
}

/// Prints in time; where the other side is slow, as soon as it takes more. Ends only when it cannot,
/// and says why.
async fn print(
    number: usize,
    mut line: UnixStream,
    begin: Instant,
    total: u64,
    behind: Arc<AtomicU64>,
) -> String {
    let part = RATE / PARTS;
    for count in 0..total / part {
        let due = begin + Duration::from_secs(1) * count as u32 / PARTS as u32;
        tokio::time::sleep_until(due).await;
        if let Err(error) = line.write_all(&printed(number, count * part..(count + 1) * part)).await
        {
            return format!("board {number} was hung up on: {error}");
        }
        behind.fetch_max(due.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
    std::future::pending().await
}

async fn read(number: usize, mut client: TcpStream, total: u64) -> Option<String> {
    let (mut at, mut buffer) = (0, vec![0; 16 * 1024]);
    while at < total {
        let count = match client.read(&mut buffer).await {
            Ok(0) => return Some(format!("client {number} was let go at {at} of {total}")),
            Ok(count) => count,
            Err(error) => return Some(format!("client {number} at {at}: {error}")),
        };
        let end = at + count as u64;
        if buffer[..count] != printed(number, at..end) {
            return Some(format!("client {number} got something else in {at} to {end}"));
        }
        at = end;
    }
    None
}
