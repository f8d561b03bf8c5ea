//! An NBD server ("fixed newstyle" of the protocol's doc/proto.md) that only reads: one file, the same for
//! every board that asks, under whatever export name.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at a time. A board that was switched off may leave one behind until the job's end.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take for its negotiation, and to take a piece of an answer. Between two requests
/// a mounted root file system may be idle for ever.
const SLOW: Duration = Duration::from_secs(30);
/// The longest data of an option, in bytes; names of exports have at most 4096.
const MAX_OPTION: u32 = 8 * 1024;
/// Options of one client until it begins to read.
const MAX_OPTIONS: usize = 64;
/// The longest read or write, in bytes: what the protocol lets clients rely on.
const MAX_REQUEST: u32 = 32 * 1024 * 1024;
const PIECE: usize = 256 * 1024;

const GREETING: u64 = 0x4e42_444d_4147_4943;
const OPTION: u64 = 0x4948_4156_454f_5054;
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;

/// "Fixed newstyle", and "no zeroes" after an export's flags.
const HANDSHAKE_FLAGS: u16 = 0b11;
const NO_ZEROES: u32 = 0b10;
/// Flags are valid, read-only, knows flush, several connections see the same.
const EXPORT_FLAGS: u16 = 1 | 2 | 4 | 0x100;
const INFO_EXPORT: u16 = 0;

const EXPORT_NAME: u32 = 1;
const ABORT: u32 = 2;
const LIST: u32 = 3;
const INFO: u32 = 6;
const GO: u32 = 7;

const ACK: u32 = 1;
const SERVER: u32 = 2;
const INFO_REPLY: u32 = 3;
const UNSUPPORTED: u32 = 0x8000_0001;
const TOO_BIG: u32 = 0x8000_0009;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

const NOT_PERMITTED: u32 = 1;
const INVALID: u32 = 22;

/// A server; it ends, and lets go of its clients, when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ending: CancellationToken,
}

impl Server {
    /// Serves a file. Port 0 picks a free one.
    ///
    /// # Errors
    /// What binding the address says, or that there is no such file.
    pub async fn start(address: SocketAddr, file: &Path) -> io::Result<Self> {
        let size = std::fs::metadata(file)?.len();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let ending = CancellationToken::new();
        let tasks = TaskTracker::new();
        let export = Export { file: file.to_owned(), size };
        tasks.spawn(accept(listener, Arc::new(export), ending.clone(), tasks.clone()));
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

async fn accept(
    listener: TcpListener,
    export: Arc<Export>,
    ending: CancellationToken,
    tasks: TaskTracker,
) {
    let turns = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, from)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(turn) = turns.clone().try_acquire_owned() else { continue };
        let (export, ending) = (export.clone(), ending.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = ending.cancelled() => {}
                done = export.to(client) => match done {
                    Ok(()) => tracing::debug!(%from, "done with NBD"),
                    Err(why) => tracing::warn!(%from, %why, "an NBD client is let go"),
                },
            }
            drop(turn);
        });
    }
}

/// What is served.
#[derive(Debug)]
struct Export {
    file: PathBuf,
    /// In bytes.
    size: u64,
}

impl Export {
    async fn to(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let (reader, writer) = client.into_split();
        self.serve(reader, writer).await
    }

    async fn serve(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let negotiating = self.negotiate(&mut reader, &mut writer);
        if !timeout(SLOW, negotiating).await?? {
            return Ok(());
        }
        let mut file = File::open(&self.file).await?;
        loop {
            let request = match Request::read(&mut reader).await {
                // Boards are switched off.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            };
            let Request { kind, length, .. } = request;
            if matches!(kind, READ | WRITE) && length > MAX_REQUEST {
                return Err(invalid("a request is too long"));
            }
            let within = request.offset.checked_add(length.into()).is_some_and(|e| e <= self.size);
            match kind {
                READ if within => {
                    request.reply(&mut writer, 0).await?;
                    send(&mut file, request.offset, length, &mut writer).await?;
                }
                READ => request.reply(&mut writer, INVALID).await?,
                WRITE => {
                    let data = &mut (&mut reader).take(length.into());
                    timeout(SLOW, tokio::io::copy(data, &mut tokio::io::sink())).await??;
                    request.reply(&mut writer, NOT_PERMITTED).await?;
                }
                DISCONNECT => return Ok(()),
                FLUSH => request.reply(&mut writer, 0).await?,
                _ => request.reply(&mut writer, INVALID).await?,
            }
        }
    }

    /// Up to the first request; false when the client has had enough.
    async fn negotiate(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<bool> {
        let flags = HANDSHAKE_FLAGS.to_be_bytes();
        let greeting = [&GREETING.to_be_bytes()[..], &OPTION.to_be_bytes(), &flags].concat();
        writer.write_all(&greeting).await?;
        let no_zeroes = reader.read_u32().await? & NO_ZEROES != 0;
        for _ in 0..MAX_OPTIONS {
            if reader.read_u64().await? != OPTION {
                return Err(invalid("no option where one should be"));
            }
            let (option, length) = (reader.read_u32().await?, reader.read_u32().await?);
            let known = length <= MAX_OPTION;
            if !known && option == EXPORT_NAME {
                return Err(invalid("the name of an export is too long"));
            }
            // What it says does not matter: there is one export.
            let data = &mut (&mut *reader).take(length.into());
            tokio::io::copy(data, &mut tokio::io::sink()).await?;
            match option {
                _ if !known => answer(writer, option, TOO_BIG, &[]).await?,
                EXPORT_NAME => {
                    let zeroes = if no_zeroes { &[][..] } else { &[0; 124] };
                    let size = self.size.to_be_bytes();
                    let export = [&size[..], &EXPORT_FLAGS.to_be_bytes(), zeroes].concat();
                    writer.write_all(&export).await?;
                    return Ok(true);
                }
                ABORT => {
                    answer(writer, option, ACK, &[]).await?;
                    return Ok(false);
                }
                LIST => {
                    // One export, whose name is empty.
                    answer(writer, option, SERVER, &0_u32.to_be_bytes()).await?;
                    answer(writer, option, ACK, &[]).await?;
                }
                INFO | GO => {
                    let size = self.size.to_be_bytes();
                    let flags = EXPORT_FLAGS.to_be_bytes();
                    let info = [&INFO_EXPORT.to_be_bytes()[..], &size, &flags].concat();
                    answer(writer, option, INFO_REPLY, &info).await?;
                    answer(writer, option, ACK, &[]).await?;
                    if option == GO {
                        return Ok(true);
                    }
                }
                _ => answer(writer, option, UNSUPPORTED, &[]).await?,
            }
        }
        Err(invalid("options without an end"))
    }
}

async fn answer(
    writer: &mut (impl AsyncWrite + Unpin),
    option: u32,
    kind: u32,
    data: &[u8],
) -> io::Result<()> {
    let length = data.len() as u32;
    let numbers = [option, kind, length].map(u32::to_be_bytes).concat();
    writer.write_all(&[&OPTION_REPLY.to_be_bytes()[..], &numbers, data].concat()).await
}

/// Sends a part of the file that is surely in it.
async fn send(
    file: &mut File,
    offset: u64,
    length: u32,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset)).await?;
    let mut left = length as usize;
    let mut piece = vec![0; left.min(PIECE)];
    while left > 0 {
        let part = &mut piece[..left.min(PIECE)];
        file.read_exact(part).await?;
        timeout(SLOW, writer.write_all(part)).await??;
        left -= part.len();
    }
    Ok(())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[derive(Debug, Clone, Copy)]
struct Request {
    kind: u16,
    /// What the client knows its request by.
    cookie: u64,
    offset: u64,
    length: u32,
}

impl Request {
    async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        if reader.read_u32().await? != REQUEST {
            return Err(invalid("no request where one should be"));
        }
        let _flags = reader.read_u16().await?;
        Ok(Self {
            kind: reader.read_u16().await?,
            cookie: reader.read_u64().await?,
            offset: reader.read_u64().await?,
            length: reader.read_u32().await?,
        })
    }

    async fn reply(&self, writer: &mut (impl AsyncWrite + Unpin), error: u32) -> io::Result<()> {
        let head = [REPLY, error].map(u32::to_be_bytes).concat();
        let reply = [&head[..], &self.cookie.to_be_bytes()].concat();
        timeout(SLOW, writer.write_all(&reply)).await?
    }
}

#[cfg(test)]
mod tests;
