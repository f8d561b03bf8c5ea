//! Start-up and end of the long-running programs: tracing, readiness, signals, sockets.

mod announce;
pub mod demo;
mod fd_store;
mod page_key;
pub mod power;
mod runtime_dir;
pub mod serial;
pub mod server;
mod sockets;
pub mod ssh;

pub use crate::config::{Safety, permit, runtime_dir};
pub use runtime_dir::RuntimeSocket;
pub use sockets::bind;

use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::model::{Failure, Kind};
use crate::sys::forget_code;

/// Every daemon ends within this time of being told to.
pub const SHUTDOWN_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// Sends tracing to standard error, as the journal likes it. `LAVA_LOG` sets the level, for all
/// (`debug`) or by module (`info,lavamux::console=debug`); info when unset.
pub fn start_tracing() {
    start_tracing_at(LevelFilter::INFO);
}

/// The same for programs that people watch, where only what is wrong is worth a line.
pub fn start_quiet_tracing() {
    start_tracing_at(LevelFilter::WARN);
}

fn start_tracing_at(default: LevelFilter) {
    let wanted = std::env::var("LAVA_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // The journal stamps each line itself.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        registry.with(lines.without_time().with_ansi(false)).init();
    } else {
        let colours = rustix::termios::isatty(rustix::stdio::stderr());
        registry.with(lines.with_ansi(colours)).init();
    }
}

/// A token that is cancelled by SIGTERM and SIGINT.
///
/// # Errors
/// When the signals cannot be handled, which the system does not do to us in practice.
pub fn shutdown_on_signals() -> Result<CancellationToken, Failure> {
    cancelled_by(&[SignalKind::terminate(), SignalKind::interrupt()])
}

/// The same for a job, which also ends in good order when its terminal goes away. More signals of these
/// kinds change nothing.
///
/// # Errors
/// As [`shutdown_on_signals`].
pub fn cancel_on_signals() -> Result<CancellationToken, Failure> {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    cancelled_by(&kinds)
}

fn cancelled_by(kinds: &[SignalKind]) -> Result<CancellationToken, Failure> {
    let infra = |error: std::io::Error| Failure::from_error(Kind::Infra, &error);
    let mut signals = Vec::new();
    for kind in kinds {
        signals.push(signal(*kind).map_err(infra)?);
    }
    let token = CancellationToken::new();
    let cancelled = token.clone();
    // Lives as long as the process; nobody waits for it.
    #[expect(clippy::disallowed_methods, reason = "the one task that outlives every service")]
    tokio::spawn(async move {
        std::future::poll_fn(|cx| {
            match signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        cancelled.cancel();
    });
    Ok(token)
}

/// Prints the one line that says the daemon is ready, and tells systemd.
pub fn ready(line: &str) {
    // A closed standard output is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "ready: {line}").and_then(|()| std::io::stdout().flush());
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    // An idle daemon should cost little; and without this advice it goes on just as well.
    if let Err(error) = forget_code() {
        tracing::debug!(%error, "the code of the start stays in memory");
    }
}
