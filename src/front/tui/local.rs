//! The terminal that this process was started at.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::paint::LEAVE;
use super::terminal::{Facts, INPUTS, Job, Terminal};
use crate::model::{Failure, Kind};
use crate::sys::{RawMode, has_shell, terminal_size};

/// A terminal that takes nothing for so long is left as it is.
const STOPPED: Duration = Duration::from_millis(200);
/// What is assumed of a terminal that does not tell its size.
const SIZE: (u16, u16) = (80, 24);

/// This process's terminal, in raw mode. It is as it was before when this is dropped, and when the process
/// panics.
#[derive(Debug)]
#[must_use = "the terminal is restored when this is dropped"]
pub struct Local {
    raw: Arc<Mutex<Option<RawMode>>>,
    ending: CancellationToken,
}

impl Local {
    /// Takes the terminal of standard input and output over. What it needs runs on `tasks`.
    ///
    /// # Errors
    /// [`Kind::User`] when there is none, or nothing can be drawn on it.
    pub fn enter(tasks: &TaskTracker) -> Result<(Self, Terminal), Failure> {
        let facts = facts()?;
        let infra = |error: io::Error| Failure::from_error(Kind::Infra, &error);
        let resized = signal(SignalKind::window_change()).map_err(infra)?;
        let stop = SignalKind::from_raw(Signal::TSTP.as_raw());
        let stopped = signal(stop).map_err(infra)?;
        leave_on_panic();
        let raw = RawMode::enter(io::stdin()).map_err(infra)?;
        let raw = Arc::new(Mutex::new(Some(raw)));
        let ending = CancellationToken::new();
        let (keys, input) = mpsc::channel(INPUTS);
        let (sizes, size) = watch::channel(size());
        let (asks, asked) = mpsc::channel(1);
        let until = |task| {
            let ending = ending.clone();
            tasks.spawn(async move { ending.run_until_cancelled(task).await });
        };
        until(Box::pin(read(keys)) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);
        until(Box::pin(follow_size(resized, sizes)));
        until(Box::pin(follow_stops(stopped, asks)));
        let of_job = raw.clone();
        let job = Job { asked, stop: Box::new(move || suspend(&of_job)) };
        let output = Box::new(tokio::io::stdout());
        let terminal = Terminal { input, output, size, facts, job: Some(job) };
        Ok((Self { raw, ending }, terminal))
    }
}

/// What the terminal of this process can do.
///
/// # Errors
/// [`Kind::User`] when there is none, or nothing can be drawn on it.
pub fn facts() -> Result<Facts, Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let what = "this needs a terminal, for input and for output";
        let hint = "lava boards lists the boards, lava watch shows what they print";
        return Err(Failure::new(Kind::User, what).hint(hint));
    }
    Facts::of(&std::env::var("TERM").unwrap_or_default(), |name| std::env::var(name).ok())
}

impl Drop for Local {
    fn drop(&mut self) {
        self.ending.cancel();
        leave();
        held(&self.raw).take();
    }
}

async fn read(keys: mpsc::Sender<Bytes>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stdin.read(&mut buffer).await {
        if keys.send(Bytes::copy_from_slice(&buffer[..length])).await.is_err() {
            return;
        }
    }
}

async fn follow_size(mut resized: tokio::signal::unix::Signal, sizes: watch::Sender<(u16, u16)>) {
    while resized.recv().await.is_some() {
        sizes.send_replace(size());
    }
}

async fn follow_stops(mut stopped: tokio::signal::unix::Signal, asks: mpsc::Sender<()>) {
    while stopped.recv().await.is_some() {
        // With one in the queue it is stopped soon anyway.
        let _ = asks.try_send(());
    }
}

fn size() -> (u16, u16) {
    terminal_size(io::stdout()).map_or(SIZE, |(rows, columns)| (columns.get(), rows.get()))
}

/// Stops this process as Ctrl-Z would have; gives when it goes on.
fn suspend(raw: &Mutex<Option<RawMode>>) -> io::Result<()> {
    // As the kernel ignores Ctrl-Z there, too: nobody could have it go on.
    if !has_shell() {
        return Err(io::Error::other("there is no shell to go back to"));
    }
    leave();
    held(raw).take();
    // Not SIGTSTP, which is handled here, and which its handler would only hear of later.
    let stopped = kill_current_process_group(Signal::STOP);
    *held(raw) = Some(RawMode::enter(io::stdin())?);
    Ok(stopped?)
}

/// Has the terminal leave our screen, if it takes anything.
fn leave() {
    let stdout = io::stdout();
    let limit = Timespec { tv_sec: 0, tv_nsec: STOPPED.subsec_nanos().into() };
    let mut takes = [PollFd::new(&stdout, PollFlags::OUT)];
    if poll(&mut takes, Some(&limit)).is_ok_and(|count| count > 0) {
        // Whoever is not there any more need not see it.
        let _ = rustix::io::write(stdout.as_fd(), LEAVE.as_bytes());
    }
}

fn leave_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            report(panic);
            let _ = io::stderr().flush();
        }));
    });
}

fn held(raw: &Mutex<Option<RawMode>>) -> std::sync::MutexGuard<'_, Option<RawMode>> {
    raw.lock().unwrap_or_else(PoisonError::into_inner)
}
