//! A console that is a program on a pty: `ssh HOST`, a container, a model that prints to its terminal.
//!
//! There are no offsets, and the times are ours. The program ends with the connection.

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Connection, Incoming};
use crate::dispatch::error::Error;
use crate::model::units::now_us;
use crate::sys::{Fd, PtyChild, spawn_on_pty};

const READ_SIZE: usize = 16 * 1024;

/// A running program and the master end of its pty.
#[derive(Debug)]
pub struct Program {
    shown: String,
    fd: Fd,
    child: PtyChild,
}

impl Program {
    /// Starts a program.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when it cannot be started.
    pub fn start(words: &[String]) -> Result<Self, Error> {
        let shown = words.join(" ");
        let failed = |error: std::io::Error| Error::Infrastructure(format!("{shown:?}: {error}"));
        let empty = || Error::Bug("there is no program".into());
        let (program, arguments) = words.split_first().ok_or_else(empty)?;
        let (master, child) = spawn_on_pty(program, arguments).map_err(failed)?;
        let fd = Fd::new(master).map_err(failed)?;
        Ok(Self { shown, fd, child })
    }

    async fn read(&mut self) -> Result<Incoming, Error> {
        let mut buffer = BytesMut::with_capacity(READ_SIZE);
        match self.fd.read_buf(&mut buffer).await {
            // A pty whose last program has ended gives an error of its own.
            Ok(0) | Err(_) => {
                let status = self.child.ended().map(|status| format!(" ({status})"));
                let status = status.unwrap_or_default();
                Err(Error::Infrastructure(format!("{:?} has ended{status}", self.shown)))
            }
            Ok(_) => {
                let bytes = buffer.freeze();
                Ok(Incoming::Bytes { offset: None, time_us: now_us(), bytes })
            }
        }
    }
}

impl Connection for Program {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(self.read())
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let written = self.fd.write_all(&bytes).await;
            written.map_err(|error| Error::Infrastructure(format!("{:?}: {error}", self.shown)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_talked_to_and_its_end_is_told() {
        let words = ["sh", "-c", "echo ready; read line; echo got $line; exit 3"];
        let mut program = Program::start(&words.map(ToOwned::to_owned)).unwrap();
        let mut said = Vec::new();
        let mut typed = false;
        let end = loop {
            match program.next().await {
                Ok(Incoming::Bytes { bytes, .. }) => said.extend_from_slice(&bytes),
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
            if !typed && said.ends_with(b"ready\n") {
                program.write("x\n".into()).await.unwrap();
                typed = true;
            }
        };
        assert_eq!(String::from_utf8(said).unwrap(), "ready\ngot x\n");
        assert!(end.to_string().contains("has ended"), "{end}");
    }
}
