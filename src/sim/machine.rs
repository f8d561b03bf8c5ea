//! What is behind a serial line and a power cable, and how power comes and goes.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::control::{Order, Verb, cable};
use super::line::{Uart, line};
use crate::model::{Failure, Kind};

/// A machine that can be switched on.
pub trait Machine: Send + Sync {
    /// What exists only while there is power.
    type Powered: Send;

    /// Switches on.
    ///
    /// # Errors
    /// Why it cannot be, as one line.
    fn start(&self) -> impl Future<Output = Result<Self::Powered, String>> + Send;

    /// Runs on its serial line until power is cut, which drops this.
    fn run(
        &self,
        powered: &mut Self::Powered,
        uart: &mut Uart,
    ) -> impl Future<Output = Infallible> + Send;

    /// Clears away what power had brought up.
    fn stop(&self, powered: Self::Powered) -> impl Future<Output = ()> + Send;
}

/// The two sockets of a machine, gone when dropped.
#[derive(Debug)]
pub struct Sockets {
    pub line: PathBuf,
    pub control: PathBuf,
    listeners: Option<(UnixListener, UnixListener)>,
}

impl Sockets {
    /// The names of the files that [`Sockets::bind`] makes.
    pub fn names(board: &str) -> [String; 2] {
        [format!("{board}.serial"), format!("{board}.power")]
    }

    /// Listens on `DIR/NAME.serial` and `DIR/NAME.power`.
    ///
    /// # Errors
    /// [`Kind::Infra`] with the path and what the system said.
    pub fn bind(dir: &Path, name: &str) -> Result<Self, Failure> {
        let listen = |path: &Path| {
            UnixListener::bind(path).map_err(|error| {
                let what = format!("cannot listen on {}: {error}", path.display());
                Failure::new(Kind::Infra, what)
            })
        };
        let [line, control] = Self::names(name).map(|name| dir.join(name));
        let serial = listen(&line)?;
        let mut sockets = Self { line, control, listeners: None };
        sockets.listeners = Some((serial, listen(&sockets.control)?));
        Ok(sockets)
    }

    /// Serves a machine on these sockets until `shutdown`. It begins switched off.
    pub async fn serve(mut self, machine: impl Machine, shutdown: CancellationToken) {
        let Some((serial, control)) = self.listeners.take() else { return };
        let (uart, wire) = line();
        let (cable, orders) = cable();
        tokio::join!(
            wire.serve(serial, shutdown.clone()),
            cable.serve(control, shutdown.clone()),
            run(&machine, uart, orders, shutdown.clone()),
        );
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.line);
        let _ = std::fs::remove_file(&self.control);
    }
}

/// Runs a machine as its power goes on and off, until `shutdown`.
pub async fn run<M: Machine>(
    machine: &M,
    mut uart: Uart,
    mut orders: mpsc::Receiver<Order>,
    shutdown: CancellationToken,
) {
    let next = async |orders: &mut mpsc::Receiver<Order>| {
        shutdown.run_until_cancelled(orders.recv()).await.flatten()
    };
    loop {
        let mut powered = loop {
            let order = tokio::select! {
                order = next(&mut orders) => order,
                never = uart.ignore_input() => match never {},
            };
            let Some(order) = order else { return };
            let started = match order.verb {
                Verb::On => Some(machine.start().await),
                Verb::Off | Verb::Status => None,
            };
            match started {
                Some(Ok(powered)) => {
                    order.reply(Ok(true));
                    break powered;
                }
                Some(Err(error)) => order.reply(Err(error)),
                None => order.reply(Ok(false)),
            }
        };
        let off = {
            let mut running = std::pin::pin!(machine.run(&mut powered, &mut uart));
            loop {
                // Power first: a board that prints without end can still be cut off.
                let order = tokio::select! {
                    biased;
                    order = next(&mut orders) => order,
                    never = &mut running => match never {},
                };
                match order {
                    Some(order) if order.verb != Verb::Off => order.reply(Ok(true)),
                    off => break off,
                }
            }
        };
        machine.stop(powered).await;
        let Some(off) = off else { return };
        off.reply(Ok(false));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::UnixStream;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::sim::board::Board;

    async fn read_until(stream: &mut UnixStream, wanted: &str) {
        let mut text = String::new();
        let mut buffer = [0; 1024];
        let reading = async {
            while !text.contains(wanted) {
                let length = stream.read(&mut buffer).await.unwrap();
                assert!(length > 0, "the line ended: {text}");
                text.push_str(str::from_utf8(&buffer[..length]).unwrap());
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), reading).await;
        assert!(in_time.is_ok(), "no {wanted:?} in {text:?}");
    }

    #[tokio::test]
    async fn the_sockets_are_a_serial_line_and_a_power_cable_and_leave_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let sockets = Sockets::bind(folder.path(), "panda01").unwrap();
        let (line, control) = (sockets.line.clone(), sockets.control.clone());
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(sockets.serve(Board::new("panda01", None), shutdown.clone()));
        tasks.close();

        let mut first = UnixStream::connect(&line).await.unwrap();
        let mut second = UnixStream::connect(&line).await.unwrap();
        let (answers, mut orders) = UnixStream::connect(&control).await.unwrap().into_split();
        let mut answers = BufReader::new(answers).lines();
        for (order, answer) in
            [("status", "off"), ("on", "on"), ("On", "error the verbs are on, off and status")]
        {
            orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
            assert_eq!(answers.next_line().await.unwrap().as_deref(), Some(answer));
        }
        read_until(&mut first, "autoboot").await;
        read_until(&mut second, "autoboot").await;
        second.write_all(b" ").await.unwrap();
        read_until(&mut first, "=> ").await;
        // Who comes back finds the line as it is.
        drop(first);
        let mut first = UnixStream::connect(&line).await.unwrap();
        first.write_all(b"version\r").await.unwrap();
        read_until(&mut first, "not U-Boot").await;
        // A line that never ends is not kept.
        orders.write_all(&[b'x'; 1000]).await.unwrap();
        assert!(!matches!(answers.next_line().await, Ok(Some(_))));

        shutdown.cancel();
        tasks.wait().await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
