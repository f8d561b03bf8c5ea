//! A file to the board over its console, by ZMODEM: a program of this host talks to the one that runs there.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Session;
use crate::dispatch::connection::Incoming;
use crate::dispatch::error::Error;
use crate::sys::{Program, Reach, confined};

/// The program that sends, of Debian's package `lrzsz`.
pub const SENDER: &str = "sz";
/// So much of what it says is typed at once, in bytes. It waits meanwhile.
const PIECE: usize = 1024;
/// So many pieces of what the board says last are kept: what follows the transfer is the shell's.
const LAST: usize = 64;

impl Session {
    /// Sends a file to the ZMODEM receiver that runs on the board. What the two tell each other is in the console's
    /// record, and in no log. Cancel safe: the sender is killed, and the receiver gives up by itself.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when it does not get there, with the sender's last words; or the console's own failure.
    pub async fn send_file(&mut self, file: &Path) -> Result<(), Error> {
        let failed = |what: &dyn std::fmt::Display| {
            Error::Infrastructure(format!("{SENDER} cannot send {}: {what}", file.display()))
        };
        let mut command = confined(SENDER, &Reach::of(&[file]));
        // As LAVA does it: no control characters on the line, and what is there is written over.
        command.args(["--binary", "--escape", "--overwrite"]).arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut sender = Program::spawn(command).map_err(|error| failed(&error))?;
        let pipes = sender.input().zip(sender.output());
        let (mut hears, mut says) = pipes.ok_or_else(|| failed(&"it has no pipes"))?;
        // What came behind the receiver's first word is for the sender already.
        self.flush();
        let _ = hears.write_all(&self.window.take()).await;
        let (mut piece, mut last, mut sent) = (vec![0; PIECE], VecDeque::new(), 0);
        loop {
            tokio::select! {
                biased;
                said = says.read(&mut piece) => match said {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        sent += length;
                        last.clear();
                        self.type_bytes(Bytes::copy_from_slice(&piece[..length])).await?;
                    }
                },
                incoming = self.connection.next() => {
                    self.lost |= incoming.is_err();
                    match incoming? {
                        Incoming::Bytes { offset, time_us, bytes } => {
                            // One that has ended takes nothing more; its end is seen above.
                            let _ = hears.write_all(&bytes).await;
                            last.push_back(Incoming::Bytes { offset, time_us, bytes });
                            last.drain(..last.len().saturating_sub(LAST));
                        }
                        other => self.take(other),
                    }
                }
            }
        }
        let ended = sender.ended().await.map_err(|error| failed(&error))?;
        last.into_iter().for_each(|said| self.take(said));
        match ended.status.success() {
            true => {
                self.log.info(format!("sent by ZMODEM, {sent} bytes on the line"));
                Ok(())
            }
            false => {
                let why = ended.last_words().map(ToOwned::to_owned);
                Err(failed(&why.unwrap_or_else(|| ended.status.to_string())))
            }
        }
    }
}
