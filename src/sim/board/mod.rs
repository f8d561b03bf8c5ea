//! The virtual board: a boot loader, a kernel's log, a login and a small shell, none of it real.
//!
//! Each part is an async function that prints on the board's [`Uart`] and reads what is typed
//! there; a power cut drops it wherever it is. Nothing here knows a socket, and all waiting is
//! tokio's time, so that tests boot a board in no time at all.

mod cpio;
mod editor;
mod files;
mod kernel;
mod loader;
mod login;
mod shell;

use std::convert::Infallible;
use std::path::PathBuf;

use super::line::Uart;
use super::machine::Machine;
use files::Files;
use kernel::Log;
use loader::Loader;

/// A virtual board.
#[derive(Debug)]
pub struct Board {
    name: String,
    files: Option<PathBuf>,
}

/// How a running system ends without a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reboot,
    Halt,
    Panic,
}

impl Board {
    /// A board whose host name is `name`. `tftpboot` reads from the folder `files`, if given.
    pub fn new(name: impl Into<String>, files: Option<PathBuf>) -> Self {
        Self { name: name.into(), files }
    }

    /// From reset to reset, for ever.
    async fn power_on(&self, uart: &mut Uart) -> Infallible {
        loop {
            let booted = Loader::new(&self.name, self.files.clone()).run(uart).await;
            let mut log = Log::boot(uart, &self.name, &booted).await;
            let files = match Files::of(booted.ramdisk).await {
                Ok(files) => files,
                Err(error) => {
                    log.say(uart, &format!("Initramfs unpacking failed: {error}")).await;
                    Files::built_in()
                }
            };
            match login::run(uart, &self.name, &mut log, files).await {
                End::Reboot => log.say(uart, "reboot: Restarting system").await,
                End::Halt => {
                    log.say(uart, "reboot: Power down").await;
                    return uart.ignore_input().await;
                }
                End::Panic => {
                    log.panic(uart).await;
                    return uart.ignore_input().await;
                }
            }
        }
    }
}

impl Machine for Board {
    type Powered = ();

    async fn start(&self) -> Result<(), String> {
        Ok(())
    }

    async fn run(&self, (): &mut (), uart: &mut Uart) -> Infallible {
        self.power_on(uart).await
    }

    async fn stop(&self, (): ()) {}
}

#[cfg(test)]
mod tests;
