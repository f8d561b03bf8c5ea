//! Open files on their way from one program to the next.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};

use super::signals::{hold_signals, ignore_pipe};

/// Tells the next program which descriptor has the document; the others' numbers stand in its first
/// line.
const HANDED: &str = "LAVA_HANDED";

/// A document, and the open files that it speaks of by their index. One of them may have got lost on
/// the way.
#[derive(Debug, Default)]
pub struct Luggage {
    pub document: Vec<u8>,
    pub files: Vec<Option<OwnedFd>>,
}

impl Luggage {
    /// Becomes another program, which [takes](Self::take) this. Gives the luggage back, with the
    /// reason, when that is not possible. [Signals are held](super::hold_signals) from here on, for
    /// whichever program goes on to release them.
    pub fn exec(self, program: &Path, called: &OsStr, arguments: &[OsString]) -> (Self, io::Error) {
        hold_signals();
        let error = match self.pass() {
            Ok(document) => {
                let number = document.as_raw_fd().to_string();
                Command::new(program).arg0(called).args(arguments).env(HANDED, number).exec()
            }
            Err(error) => error,
        };
        ignore_pipe();
        for file in self.files.iter().flatten() {
            // It was not closed on exec only for this.
            let _ = fcntl_setfd(file, FdFlags::CLOEXEC);
        }
        (self, error)
    }

    /// Has all files outlive exec; gives the one with their numbers and the document.
    fn pass(&self) -> io::Result<OwnedFd> {
        let mut numbers = String::new();
        for file in &self.files {
            match file {
                Some(file) => {
                    fcntl_setfd(file, FdFlags::empty())?;
                    numbers.push_str(&format!("{} ", file.as_raw_fd()));
                }
                None => numbers.push_str("- "),
            }
        }
        let memory = self.document_file(&numbers)?;
        fcntl_setfd(&memory, FdFlags::empty())?;
        Ok(memory)
    }

    /// The document in a file without a name, behind a first line.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn document_file(&self, first_line: &str) -> io::Result<OwnedFd> {
        let mut memory = File::from(memfd_create("lava-state", MemfdFlags::CLOEXEC)?);
        writeln!(memory, "{first_line}")?;
        memory.write_all(&self.document)?;
        memory.rewind()?;
        Ok(memory.into())
    }

    /// What the program before this one has left for us, if it has. To be called once, before there
    /// are other threads.
    ///
    /// # Errors
    /// When it cannot be read; it is lost then.
    pub fn take() -> io::Result<Option<Self>> {
        if let Some(number) = std::env::var(HANDED).ok().and_then(|number| number.parse().ok()) {
            // SAFETY: there are no other threads; and our children are not to see it.
            unsafe { std::env::remove_var(HANDED) };
            let (numbers, document) = read_document(inherited(number)?)?;
            let numbers = numbers.split_whitespace().map(|number| number.parse::<RawFd>().ok());
            let files = numbers.map(|number| inherited(number?).ok()).collect();
            return Ok(Some(Self { document, files }));
        }
        Ok(None)
    }
}

/// An inherited descriptor, from now on closed on exec. To be called once for each.
///
/// # Errors
/// When it is not open.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: whoever ran before us has left this descriptor open for us, and nobody else knows it.
    let file = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&file, FdFlags::CLOEXEC)?;
    Ok(file)
}

/// The first line of a document's file, and the rest.
///
/// # Errors
/// When it cannot be read.
pub fn read_document(file: OwnedFd) -> io::Result<(String, Vec<u8>)> {
    let mut file = File::from(file);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    Ok((line, bytes.split_off((end + 1).min(bytes.len()))))
}
