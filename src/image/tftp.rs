//! A TFTP server (RFC 1350) that only reads, with the options blksize (RFC 2348), timeout and tsize (RFC
//! 2349) and windowsize (RFC 7440).

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::tree::inside;

/// Transfers at a time. Who asks beyond that asks again.
const MAX_TRANSFERS: usize = 64;
/// How long an acknowledgement may take before its block is sent again.
const ACK_LIMIT: Duration = Duration::from_secs(1);
/// How often a block is sent before the board counts as gone.
const TRIES: u32 = 6;
/// The largest packet that is received, in bytes: a request with its options.
const MAX_REQUEST: usize = 1500;
const DEFAULT_BLOCK: usize = 512;
/// The largest block, in bytes: what a UDP packet can hold.
const MAX_BLOCK: usize = 65_464;
const MAX_WINDOW: u16 = 64;

const READ: u16 = 1;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTIONS: u16 = 6;
const NOT_FOUND: u16 = 1;
const REFUSED: u16 = 2;

/// What a board asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// `None` where the board leaves it to us.
    pub block: Option<usize>,
    pub window: Option<u16>,
    /// Seconds until it asks again.
    pub timeout: Option<u8>,
    /// It wants to know the file's size.
    pub size: bool,
}

/// A server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ending: CancellationToken,
}

impl Server {
    /// Serves what is in a folder and below it. Port 0 picks a free one.
    ///
    /// # Errors
    /// What binding the address says.
    pub async fn start(address: SocketAddr, folder: PathBuf) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let address = socket.local_addr()?;
        let ending = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(serve(socket, folder, ending.clone(), tasks.clone()));
        Ok(Self { address, ending })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

async fn serve(socket: UdpSocket, folder: PathBuf, ending: CancellationToken, tasks: TaskTracker) {
    let transfers = Arc::new(Semaphore::new(MAX_TRANSFERS));
    let mut packet = [0; MAX_REQUEST];
    let local = socket.local_addr().map_or(IpAddr::from([0; 4]), |address| address.ip());
    loop {
        let received = tokio::select! {
            () = ending.cancelled() => return,
            received = socket.recv_from(&mut packet) => received,
        };
        // A board that is gone may have left its ICMP answer.
        let Ok((length, board)) = received else { continue };
        let Some(request) = Request::parse(&packet[..length]) else {
            let _ = socket.send_to(&error(REFUSED, "only files are read here"), board).await;
            continue;
        };
        let Ok(turn) = transfers.clone().try_acquire_owned() else { continue };
        let (folder, ending) = (folder.clone(), ending.clone());
        tasks.spawn(async move {
            let done = tokio::select! {
                () = ending.cancelled() => return,
                done = transfer(&request, &folder, local, board) => done,
            };
            drop(turn);
            let path = request.path.escape_debug();
            match done {
                Ok(bytes) => tracing::info!(%path, %board, bytes, "sent by TFTP"),
                Err(why) => tracing::warn!(%path, %board, %why, "not sent by TFTP"),
            }
        });
    }
}

/// Sends one file, from a port of its own.
async fn transfer(
    request: &Request,
    folder: &Path,
    local: IpAddr,
    board: SocketAddr,
) -> Result<u64, String> {
    let said = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind((local, 0)).await.map_err(said)?;
    socket.connect(board).await.map_err(said)?;
    let (mut file, size) = match open(folder, &request.path).await {
        Ok(opened) => opened,
        Err(why) => {
            let _ = socket.send(&error(NOT_FOUND, &why)).await;
            return Err(why);
        }
    };
    let block = request.block.unwrap_or(DEFAULT_BLOCK).clamp(8, MAX_BLOCK);
    let window = request.window.unwrap_or(1).clamp(1, MAX_WINDOW);
    if let Some(options) = request.answer(block, window, size) {
        exchange(&socket, &[options], 0, 1).await?;
    }
    // Blocks that are sent and not yet acknowledged, oldest first; their numbers wrap around.
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let (mut first, mut ended, mut bytes) = (1_u16, false, 0);
    loop {
        while !ended && sent.len() < usize::from(window) {
            let mut packet = vec![0; 4 + block];
            let length = fill(&mut file, &mut packet[4..]).await.map_err(said)?;
            let number = first.wrapping_add(sent.len() as u16);
            packet[..2].copy_from_slice(&DATA.to_be_bytes());
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            packet.truncate(4 + length);
            (ended, bytes) = (length < block, bytes + length as u64);
            sent.push(packet);
        }
        if sent.is_empty() {
            return Ok(bytes);
        }
        let taken = exchange(&socket, &sent, first, sent.len()).await?;
        sent.drain(..taken);
        first = first.wrapping_add(taken as u16);
    }
}

/// Sends packets until the board has acknowledged some of them; gives how many. `first` is the number
/// of the first.
async fn exchange(
    socket: &UdpSocket,
    packets: &[Vec<u8>],
    first: u16,
    most: usize,
) -> Result<usize, String> {
    let mut answer = [0; MAX_REQUEST];
    for _ in 0..TRIES {
        for packet in packets {
            socket.send(packet).await.map_err(|error| error.to_string())?;
        }
        let deadline = tokio::time::Instant::now() + ACK_LIMIT;
        while let Ok(received) = tokio::time::timeout_at(deadline, socket.recv(&mut answer)).await {
            // The board's port may be closed for a moment: it counts as silence.
            let Ok(length @ 4..) = received else { break };
            let word = |at: usize| u16::from_be_bytes([answer[at], answer[at + 1]]);
            match word(0) {
                ACK => {
                    let taken = usize::from(word(2).wrapping_sub(first)) + 1;
                    // One of before is no reason to send all again (the sorcerer's apprentice).
                    if taken <= most {
                        return Ok(taken);
                    }
                }
                ERROR => {
                    let text = String::from_utf8_lossy(&answer[4..length]).into_owned();
                    let text = text.trim_end_matches('\0').escape_debug();
                    return Err(format!("the board says: {text}"));
                }
                _ => {}
            }
        }
    }
    Err("the board does not answer any more".into())
}

async fn open(folder: &Path, path: &str) -> Result<(File, u64), String> {
    let outside = || format!("{path:?} leads out of the folder");
    let wanted = inside(folder, path).ok_or_else(outside)?;
    let (folder, found) = (tokio::fs::canonicalize(folder), tokio::fs::canonicalize(&wanted));
    let found = found.await.map_err(|_| "file not found".to_owned())?;
    // Nor does a link.
    if !folder.await.is_ok_and(|folder| found.starts_with(folder)) {
        return Err(outside());
    }
    let file = File::open(&found).await.map_err(|error| error.to_string())?;
    let about = file.metadata().await.map_err(|error| error.to_string())?;
    if about.is_file() { Ok((file, about.len())) } else { Err("no file".into()) }
}

/// Reads until the buffer is full or the file has ended.
async fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]).await? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

impl Request {
    /// A request to read a file as it is, in a packet; `None` for everything else.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (code, rest) = packet.split_at_checked(2)?;
        let code = u16::from_be_bytes([code[0], code[1]]);
        if code != READ {
            return None;
        }
        let mut texts = rest.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let mut text = || std::str::from_utf8(texts.next()?).ok();
        let path = text()?.to_owned();
        if path.is_empty() || !matches!(text()?.to_ascii_lowercase().as_str(), "octet" | "netascii")
        {
            return None;
        }
        let mut request = Self { path, block: None, window: None, timeout: None, size: false };
        while let (Some(name), Some(value)) = (text(), text()) {
            match name.to_ascii_lowercase().as_str() {
                "blksize" => {
                    let block = value.parse().ok().filter(|block| *block >= 8);
                    request.block = block.map(|block: usize| block.min(MAX_BLOCK));
                }
                "windowsize" => {
                    let window = value.parse().ok().filter(|window| *window >= 1);
                    request.window = window.map(|window: u16| window.min(MAX_WINDOW));
                }
                "timeout" => request.timeout = value.parse().ok().filter(|seconds| *seconds >= 1),
                "tsize" => request.size = true,
                _ => {}
            }
        }
        Some(request)
    }

    /// The packet that tells which options are taken; none without options.
    fn answer(&self, block: usize, window: u16, size: u64) -> Option<Vec<u8>> {
        let mut packet = OPTIONS.to_be_bytes().to_vec();
        let mut option = |name: &str, value: Option<String>| {
            let Some(value) = value else { return };
            for text in [name, &value] {
                packet.extend_from_slice(text.as_bytes());
                packet.push(0);
            }
        };
        option("blksize", self.block.map(|_| block.to_string()));
        option("windowsize", self.window.map(|_| window.to_string()));
        option("timeout", self.timeout.map(|seconds| seconds.to_string()));
        option("tsize", self.size.then(|| size.to_string()));
        (packet.len() > 2).then_some(packet)
    }
}

fn error(code: u16, text: &str) -> Vec<u8> {
    let mut packet = ERROR.to_be_bytes().to_vec();
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
    packet
}

#[cfg(test)]
mod tests;
