//! The life of a `lava-serial` over restarts and upgrades of its program: what it serves goes on.
//!
//! On SIGUSR2 the process becomes the program that is installed now. Where systemd keeps open files
//! for it, it gives them to systemd when it is to end, and the next process goes on with them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::stream;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::handed::VERSION;
use super::{Ended, HandedSerial, Serial, Successor};
use crate::config::serial::SerialConfig;
use crate::daemon::fd_store::{self, Stored};
use crate::daemon::ready;
use crate::model::{Failure, Kind};
use crate::sys::{Luggage, hold_signals, release_signals};

/// Tells a program that is only to check its arguments which version of the document it would get.
const ASKED_VERSION: &str = "LAVA_HANDED_VERSION";
/// How long the installed program may take to check its arguments and files.
const CHECK_LIMIT: Duration = Duration::from_secs(20);

/// How this process was started.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    /// What it was called: `ser2net` is another program than `lava-serial`.
    called: OsString,
    arguments: Vec<OsString>,
}

/// What the program before this one has left.
#[derive(Debug, Default)]
pub struct Left {
    luggage: Option<Luggage>,
    stored: Stored,
}

/// Whether this program would understand the one that asks it to check its arguments.
///
/// # Errors
/// When it would not: the other one goes on then.
pub fn understands() -> Result<(), Failure> {
    match std::env::var(ASKED_VERSION) {
        Ok(version) if version != VERSION.to_string() => {
            let what = format!(
                "it would hand over in version {version}, and this program reads version {VERSION}"
            );
            Err(Failure::new(Kind::Infra, what)
                .hint("stop it and start this one: clients come again"))
        }
        _ => Ok(()),
    }
}

/// What the program before this one has left for us. To be called once, and before there are other
/// threads.
pub fn left() -> Left {
    let (passed, stored) = match Luggage::take() {
        Ok(None) => fd_store::take(),
        passed => (passed, Stored::default()),
    };
    let luggage = passed.unwrap_or_else(|error| {
        tracing::error!("nothing is taken over: {error}");
        None
    });
    Left { luggage, stored }
}

/// Serves until `terminate`, and beyond it where something goes on with what is served. Goes on itself
/// with what is `left` of the program before it.
///
/// # Errors
/// When something cannot be served, or not be given away.
pub async fn serve(
    mut config: SerialConfig,
    left: Left,
    terminate: CancellationToken,
) -> Result<(), Failure> {
    let infra = |error: std::io::Error| Failure::from_error(Kind::Infra, &error);
    let program = Program::current().map_err(infra)?;
    let mut upgrades = signal(SignalKind::user_defined2()).map_err(infra)?;
    let handed = left.luggage.map(HandedSerial::unpack).transpose();
    let mut handed = handed.unwrap_or_else(|failure| {
        tracing::error!("{failure}");
        None
    });
    handed.get_or_insert_default().stored = left.stored;
    let store = fd_store::is_there();
    loop {
        let serial = Serial::bind(config, handed.take().unwrap_or_default()).await?;
        // All that may come is waited for now.
        release_signals();
        let addresses = serial.addresses();
        let shutdown = if store { CancellationToken::new() } else { terminate.clone() };
        let (program, terminated) = (&program, &terminate);
        let successors = stream::unfold(&mut upgrades, move |upgrades| async move {
            let successor = tokio::select! {
                () = terminated.cancelled(), if store => Successor::NextProcess,
                () = program.upgrade(upgrades) => Successor::NextProgram,
            };
            Some((successor, upgrades))
        });
        let ended = serial.run(shutdown, successors, || ready(&addresses)).await?;
        let luggage = match ended {
            Ended::Done => return Ok(()),
            Ended::HandedOver(handed, Successor::NextProcess) => {
                let stored = handed.pack().and_then(|luggage| fd_store::store(&luggage));
                return stored.map_err(infra);
            }
            Ended::HandedOver(mut handed, Successor::NextProgram) => {
                config = handed.config.take().unwrap_or_default();
                handed.pack().map_err(infra)?
            }
        };
        // From here on signals wait for the next program. Those that came before are only known once the
        // runtime has looked, which it does each time that everything yields: once to hear of them, and
        // once for `terminate` to be cancelled.
        hold_signals();
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        // Who was told to end meanwhile does not begin anew: it goes on to its end.
        let luggage = if terminate.is_cancelled() {
            luggage
        } else {
            let Program { path, called, arguments } = program;
            let (luggage, error) = luggage.exec(path, called, arguments);
            tracing::error!(program = %path.display(), %error, "cannot be run; going on");
            luggage
        };
        handed = Some(HandedSerial::unpack(luggage)?);
    }
}

impl Program {
    fn current() -> std::io::Result<Self> {
        let mut arguments = std::env::args_os();
        let called = arguments.next().unwrap_or_default();
        // Now, while the file is certainly the one that runs: later there may be another one there.
        let runs = std::env::current_exe()?;
        let path = installed(Path::new(&called), &runs).unwrap_or(runs);
        Ok(Self { path, called, arguments: arguments.collect() })
    }

    /// Waits until the program that is installed now is to go on, and could.
    async fn upgrade(&self, asked: &mut Signal) {
        while asked.recv().await.is_some() {
            match self.check().await {
                Ok(()) => return,
                Err(reason) => tracing::error!("the installed program cannot go on: {reason}"),
            }
        }
        std::future::pending::<()>().await;
    }

    /// Whether the installed program starts, takes our arguments and files, and understands us.
    async fn check(&self) -> Result<(), String> {
        let mut check = Command::new(&self.path);
        check.arg0(&self.called).args(&self.arguments).arg("--check");
        check.env(ASKED_VERSION, VERSION.to_string()).stdin(Stdio::null()).kill_on_drop(true);
        let path = self.path.display();
        let output = tokio::time::timeout(CHECK_LIMIT, check.output()).await;
        let output = output.map_err(|_| {
            format!("{path}: it has not checked its files within {} s", CHECK_LIMIT.as_secs())
        })?;
        let output = output.map_err(|error| format!("{path}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}", output.status, said.trim()))
    }
}

/// The path by which the file that `runs` was called, if it was by one. It is not resolved: where it is
/// a link to another file by the next upgrade, that is the program to go on with.
fn installed(called: &Path, runs: &Path) -> Option<PathBuf> {
    called.parent().filter(|dir| !dir.as_os_str().is_empty())?;
    let path = std::path::absolute(called).ok()?;
    (std::fs::canonicalize(&path).ok()? == std::fs::canonicalize(runs).ok()?).then_some(path)
}
