//! The life of a `lava-serial` over restarts and upgrades of its program: what it serves goes on.
//!
//! On SIGUSR2 the process becomes the program that is installed now. Where systemd keeps open files
//! for it, it gives them to systemd when it is to end, and the next process goes on with them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Ended, HandedSerial, Serial, Successor};
use crate::config::serial::SerialConfig;
use crate::daemon::{fd_store, ready};
use crate::model::{Failure, Kind};
use crate::sys::Luggage;

/// How this process was started.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// What the program before this one has left for us, if it has. To be called before there are other
/// threads.
pub fn luggage() -> Option<Luggage> {
    let passed = Luggage::take().and_then(|passed| match passed {
        Some(passed) => Ok(Some(passed)),
        None => fd_store::take(),
    });
    passed.unwrap_or_else(|error| {
        tracing::error!("nothing is taken over: {error}");
        None
    })
}

/// Serves until `terminate`, and beyond it where something goes on with what is served. Goes on itself
/// with the `luggage` of the program before it.
///
/// # Errors
/// When something cannot be served, or not be given away.
pub async fn serve(
    config: SerialConfig,
    luggage: Option<Luggage>,
    terminate: CancellationToken,
) -> Result<(), Failure> {
    let infra = |error: std::io::Error| Failure::from_error(Kind::Infra, &error);
    let program = Program::current().map_err(infra)?;
    let mut upgrades = signal(SignalKind::user_defined2()).map_err(infra)?;
    let handed = luggage.map(HandedSerial::unpack).transpose();
    let mut handed = handed.unwrap_or_else(|failure| {
        tracing::error!("{failure}");
        None
    });
    let store = fd_store::is_there();
    loop {
        let serial = Serial::bind(config.clone(), handed.take().unwrap_or_default()).await?;
        let addresses = serial.addresses();
        let shutdown = if store { CancellationToken::new() } else { terminate.clone() };
        let successor = async {
            tokio::select! {
                () = terminate.cancelled(), if store => Successor::NextProcess,
                () = program.upgrade(&mut upgrades) => Successor::NextProgram,
            }
        };
        let ended = serial.run(shutdown, successor, || ready(&addresses)).await?;
        let luggage = match ended {
            Ended::Done => return Ok(()),
            Ended::HandedOver(handed, Successor::NextProcess) => {
                let stored = handed.pack().and_then(|luggage| fd_store::store(&luggage));
                return stored.map_err(infra);
            }
            Ended::HandedOver(handed, Successor::NextProgram) => handed.pack().map_err(infra)?,
        };
        let (luggage, error) = luggage.exec(&program.path, &program.arguments);
        tracing::error!(program = %program.path.display(), %error, "cannot be run; going on");
        handed = Some(HandedSerial::unpack(luggage)?);
    }
}

impl Program {
    fn current() -> std::io::Result<Self> {
        // Now, while the file is certainly the one that runs: later there may be another one there.
        let path = std::env::current_exe()?;
        Ok(Self { path, arguments: std::env::args_os().skip(1).collect() })
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

    /// Whether the installed program starts, and takes our arguments and files.
    async fn check(&self) -> Result<(), String> {
        let mut check = Command::new(&self.path);
        check.args(&self.arguments).arg("--check").stdin(Stdio::null()).kill_on_drop(true);
        let output = check.output().await;
        let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}", output.status, said.trim()))
    }
}
