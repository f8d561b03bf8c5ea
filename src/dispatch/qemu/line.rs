//! The line between QEMU's serial port and whoever owns the console: a Unix socket that is there for
//! the whole job, while QEMUs behind it come and go.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use super::Ended;

/// The largest piece that is carried at once, in bytes.
const PIECE: usize = 16 * 1024;
/// Orders that may wait; each is waited for before the next is given.
const ORDERS: usize = 1;

/// The line. Who drops it takes the QEMU down.
#[derive(Debug)]
pub(super) struct Line {
    path: PathBuf,
    orders: mpsc::Sender<Order>,
    ended: watch::Receiver<Option<Ended>>,
    /// Whether somebody has the other end.
    open: watch::Receiver<bool>,
    tasks: TaskTracker,
}

enum Order {
    Start(Child),
    Stop(oneshot::Sender<()>),
}

impl Line {
    /// A line at `path`, which must be short enough for a socket, without a board.
    ///
    /// # Errors
    /// What binding the socket says.
    pub(super) fn lay(path: PathBuf) -> io::Result<Self> {
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let (orders, given) = mpsc::channel(ORDERS);
        let (tell, ended) = watch::channel(None);
        let (opened, open) = watch::channel(false);
        let tasks = TaskTracker::new();
        tasks.spawn(Carrier::new(listener, opened).carry(given, tell));
        tasks.close();
        Ok(Self { path, orders, ended, open, tasks })
    }

    /// Waits until somebody has the other end. Cancel safe.
    pub(super) async fn opened(&mut self) {
        if self.open.wait_for(|open| *open).await.is_err() {
            // The task ends with us only.
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the QEMU that was started last has ended by itself, and how.
    pub(super) fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.clone()
    }

    /// Puts a QEMU behind the line; its standard input and output are the serial port.
    pub(super) async fn start(&self, qemu: Child) {
        // The task ends with us only.
        let _ = self.orders.send(Order::Start(qemu)).await;
    }

    /// Kills the QEMU, if there is one, and waits until it is gone.
    pub(super) async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        let _ = self.orders.send(Order::Stop(done)).await;
        let _ = wait.await;
    }

    pub(super) async fn close(self) {
        self.stop().await;
        let tasks = self.tasks.clone();
        drop(self);
        tasks.wait().await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What carries the bytes.
struct Carrier {
    listener: UnixListener,
    /// Told when somebody comes.
    opened: watch::Sender<bool>,
    /// The console's owner.
    reader: Option<OwnedReadHalf>,
    writer: Option<OwnedWriteHalf>,
    qemu: Option<Child>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    /// From the board, not yet taken by the console. QEMU waits meanwhile: nothing is lost.
    printed: Bytes,
    /// From the console, not yet taken by the board.
    typed: Bytes,
}

impl Carrier {
    fn new(listener: UnixListener, opened: watch::Sender<bool>) -> Self {
        let (printed, typed) = (Bytes::new(), Bytes::new());
        let (reader, writer, qemu, stdin, stdout) = (None, None, None, None, None);
        Self { listener, opened, reader, writer, qemu, stdin, stdout, printed, typed }
    }

    async fn carry(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        tell: watch::Sender<Option<Ended>>,
    ) {
        let (mut from_board, mut from_console) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            if self.qemu.is_some() && self.stdout.is_none() && self.printed.is_empty() {
                tell.send_replace(Some(self.ended().await));
            }
            tokio::select! {
                order = orders.recv() => match order {
                    None => return self.stop().await,
                    Some(Order::Start(qemu)) => {
                        self.start(qemu).await;
                        tell.send_replace(None);
                    }
                    Some(Order::Stop(done)) => {
                        self.stop().await;
                        // How the one before has ended is nothing for who waits for the next one.
                        tell.send_replace(None);
                        let _ = done.send(());
                    }
                },
                accepted = self.listener.accept(), if self.reader.is_none() => {
                    if let Ok((socket, _)) = accepted {
                        let (reader, writer) = socket.into_split();
                        (self.reader, self.writer) = (Some(reader), Some(writer));
                        self.opened.send_replace(true);
                    }
                }
                read = read(&mut self.reader, &mut from_console), if self.typed.is_empty() => match read {
                    Ok(length @ 1..) if self.stdin.is_some() => {
                        self.typed = Bytes::copy_from_slice(&from_console[..length]);
                    }
                    // Nobody is there to hear it.
                    Ok(1..) => {}
                    _ => (self.reader, self.writer) = (None, None),
                },
                wrote = write(&mut self.writer, &self.printed), if !self.printed.is_empty() => match wrote {
                    Ok(length) => self.printed.advance(length),
                    Err(_) => (self.reader, self.writer) = (None, None),
                },
                read = read(&mut self.stdout, &mut from_board), if self.printed.is_empty() => match read {
                    Ok(length @ 1..) => self.printed = Bytes::copy_from_slice(&from_board[..length]),
                    _ => self.stdout = None,
                },
                wrote = write(&mut self.stdin, &self.typed), if !self.typed.is_empty() => match wrote {
                    Ok(length) => self.typed.advance(length),
                    Err(_) => (self.stdin, self.typed) = (None, Bytes::new()),
                },
            }
        }
    }

    async fn start(&mut self, mut qemu: Child) {
        self.stop().await;
        self.typed = Bytes::new();
        (self.stdin, self.stdout) = (qemu.stdin.take(), qemu.stdout.take());
        self.qemu = Some(qemu);
    }

    async fn stop(&mut self) {
        if let Some(mut qemu) = self.qemu.take()
            && let Err(error) = qemu.kill().await
        {
            tracing::warn!(%error, "cannot kill QEMU");
        }
        (self.stdin, self.stdout) = (None, None);
    }

    /// QEMU has closed its output, which it does when it ends.
    async fn ended(&mut self) -> Ended {
        self.stdin = None;
        let status = match self.qemu.take() {
            Some(mut qemu) => qemu.wait().await.ok(),
            None => None,
        };
        Ended { status }
    }
}

async fn read<R: tokio::io::AsyncRead + Unpin>(
    from: &mut Option<R>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    match from {
        Some(from) => from.read(buffer).await,
        None => std::future::pending().await,
    }
}

async fn write<W: tokio::io::AsyncWrite + Unpin>(
    to: &mut Option<W>,
    bytes: &[u8],
) -> io::Result<usize> {
    match to {
        Some(to) => to.write(bytes).await,
        None => std::future::pending().await,
    }
}
