//! A serial line, or the slave end of a pty that stands for one.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, HandedKind, HandedPort, Port};
use crate::adapter::{Roots, device_of};
use crate::model::line::{Framing, Inputs, LineErrors, LineSettings, Outputs};
use crate::sys::{
    Fd, flush_output, is_pty, line_errors, modem_inputs, open_tty, set_break, set_modem_outputs,
    set_tty,
};

/// Who may open a new device is said within this time.
const SETTLE: Duration = Duration::from_secs(3);

/// An open serial line.
#[derive(Debug)]
pub(super) struct Tty(Fd);

impl Tty {
    /// # Errors
    /// What the system says, with the device.
    pub(super) fn open(path: &Path, framing: Framing) -> io::Result<Self> {
        let device = device_of(&Roots::of_host(), path);
        let device = device.map_err(|error| named(path, path, &error))?;
        let opened = open_tty(&device, framing).and_then(Fd::new);
        opened.map(Self).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if is_new(&device) => {
                named(path, path, &io::ErrorKind::NotFound.into())
            }
            _ => named(path, &device, &error),
        })
    }

    /// Goes on with an open line.
    pub(super) fn resume(fd: OwnedFd) -> io::Result<Self> {
        Fd::new(fd).map(Self)
    }
}

/// Tells which device an error is about.
fn named(path: &Path, device: &Path, error: &io::Error) -> io::Error {
    let mut what = path.display().to_string();
    if device != path {
        what.push_str(&format!(" ({})", device.display()));
    }
    match error.kind() {
        io::ErrorKind::NotFound => what.push_str(": there is no such device"),
        _ => what.push_str(&format!(": {error}")),
    }
    io::Error::new(error.kind(), what)
}

/// Whether a device is so new that nobody may have said yet who may open it: it is as good as not
/// there, and nobody needs to be told of it.
fn is_new(device: &Path) -> bool {
    let changed = device.metadata().ok().and_then(|it| u64::try_from(it.ctime()).ok());
    let age = changed.and_then(|seconds| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).ok()
    });
    age.is_some_and(|age| age < SETTLE)
}

impl Port for Tty {
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        if is_pty(&self.0) {
            return Err(ControlError::Unsupported("the port is a pty, which carries no break"));
        }
        Ok(set_break(&self.0, on)?)
    }

    fn set_line(&mut self, settings: LineSettings) -> Result<(), ControlError> {
        Ok(set_tty(&self.0, settings)?)
    }

    fn set_outputs(&mut self, outputs: Outputs) -> Result<(), ControlError> {
        set_modem_outputs(&self.0, outputs).map_err(|error| wires(error, NO_WIRES))
    }

    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        modem_inputs(&self.0).map_err(|error| wires(error, NO_WIRES))
    }

    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        line_errors(&self.0).map_err(|error| wires(error, "the driver does not count errors"))
    }

    fn purge_output(&mut self) -> Result<(), ControlError> {
        Ok(flush_output(&self.0)?)
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        Some(HandedPort { fd: self.0.into_fd(), kind: HandedKind::Tty })
    }
}

const NO_WIRES: &str = "the port has no modem lines";

/// A pty and some adapters have no such wires: ENOTTY or EINVAL tells.
fn wires(error: io::Error, missing: &'static str) -> ControlError {
    let missing_says = [Errno::NOTTY, Errno::INVAL].map(|errno| Some(errno.raw_os_error()));
    if missing_says.contains(&error.raw_os_error()) {
        ControlError::Unsupported(missing)
    } else {
        ControlError::Io(error)
    }
}

impl AsyncRead for Tty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
