//! `driver = "qmp"`: a virtual board in QEMU, by its monitor (QEMU Machine Protocol).
//!
//! Off is a machine that stands still in the state that a reset leaves it in, on is one that runs: it
//! begins with its first instruction, as after power was cut, and its serial line stays as it is.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch, answer};
use crate::config::power::{self as config, OutletConfig};
use crate::model::State;

/// The longest line that a monitor may answer, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// One machine.
#[derive(Debug)]
pub(super) struct QmpOutlet {
    /// `None` when the port does not fit.
    socket: Option<PathBuf>,
    native_cycle: bool,
}

/// A connection to a monitor, which takes one at a time.
struct Monitor {
    stream: BufReader<UnixStream>,
    /// Whether it told of a reset that nobody has asked for yet: it may do so before it answers.
    was_reset: bool,
    way: Way,
}

impl QmpOutlet {
    pub(super) fn new(qmp: &config::Qmp, outlet: &OutletConfig) -> Self {
        let socket = qmp.socket(&outlet.port, outlet.name.as_str());
        Self { socket, native_cycle: qmp.native_cycle }
    }

    async fn open(&self, way: Way) -> Result<Monitor, OutletError> {
        match &self.socket {
            Some(socket) => Monitor::open(socket, way).await,
            None => Err(way.refused("the port does not fit the socket's path")),
        }
    }

    async fn on(&self) -> Result<(), OutletError> {
        let mut monitor = self.open(Way::switches()).await?;
        match monitor.status().await?.as_str() {
            "running" => return Ok(()),
            // Halted for good: only a reset brings it back.
            "shutdown" | "guest-panicked" | "internal-error" | "io-error" => {
                monitor.reset().await?;
            }
            _ => {}
        }
        monitor.order("cont").await
    }

    /// First it stands still, then it is reset: not one instruction is carried out after the reset.
    async fn off(&self) -> Result<(), OutletError> {
        let mut monitor = self.open(Way::switches()).await?;
        if monitor.status().await? == "prelaunch" {
            return Ok(());
        }
        monitor.order("stop").await?;
        monitor.reset().await
    }

    async fn state(&self) -> Result<State, OutletError> {
        let status = self.open(Way::reads()).await?.status().await?;
        Ok(match status.as_str() {
            "running" => State::On,
            // Before its first instruction, or after its last.
            "prelaunch" | "shutdown" => State::Off,
            status => {
                tracing::debug!(status, "the machine neither runs nor is it off");
                State::Unknown
            }
        })
    }

    async fn restart(&self) -> Result<(), OutletError> {
        let mut monitor = self.open(Way::switches()).await?;
        monitor.reset().await?;
        monitor.order("cont").await
    }
}

impl Monitor {
    /// Switches nothing, so whatever goes wrong leaves the machine as it was.
    async fn open(socket: &Path, way: Way) -> Result<Self, OutletError> {
        let why = |error: io::Error| {
            let socket = socket.display();
            way.unreachable(format!("QEMU's monitor at {socket} cannot be reached: {error}"))
        };
        let stream = UnixStream::connect(socket).await.map_err(why)?;
        let mut monitor = Self { stream: BufReader::new(stream), was_reset: false, way };
        let greeting = monitor.read().await?;
        if greeting.get("QMP").is_none() {
            return Err(monitor.way.unreachable(format!(
                "what listens at {} is no QEMU monitor in QMP mode",
                socket.display()
            )));
        }
        monitor.execute("qmp_capabilities").await?;
        Ok(monitor)
    }

    /// `running`, `prelaunch`, `paused` and so on: QEMU's RunState.
    async fn status(&mut self) -> Result<String, OutletError> {
        let status = self.execute("query-status").await?;
        let word = status.get("status").and_then(Value::as_str);
        word.map(str::to_owned).ok_or_else(|| {
            self.way.unclear("QEMU's monitor does not say what state the machine is in")
        })
    }

    /// Resets the machine, and waits until that has happened.
    async fn reset(&mut self) -> Result<(), OutletError> {
        self.was_reset = false;
        self.order("system_reset").await?;
        while !self.was_reset {
            self.read().await?;
        }
        Ok(())
    }

    /// Has the machine do something. A refusal leaves it as it was, unless something was done before.
    async fn order(&mut self, command: &str) -> Result<(), OutletError> {
        let is_first = !self.way.may_have_switched();
        self.way.sending();
        match self.execute(command).await {
            Err(OutletError::Refused(why)) if !is_first => Err(self.way.refused(why.to_string())),
            done => done.map(drop),
        }
    }

    async fn execute(&mut self, command: &str) -> Result<Value, OutletError> {
        let line = format!("{}\n", json!({ "execute": command, "id": command }));
        self.stream.write_all(line.as_bytes()).await.map_err(|error| self.lost(&error))?;
        loop {
            let mut said = self.read().await?;
            if said.get("id").and_then(Value::as_str) != Some(command) {
                // An event.
                continue;
            }
            if let Some(error) = said.get("error") {
                let why = error.get("desc").and_then(Value::as_str).unwrap_or_default();
                let why = answer::shown(why, []);
                return Err(OutletError::said_no(format!("QEMU refuses {command}: {why}")));
            }
            return Ok(said.get_mut("return").map(Value::take).unwrap_or_default());
        }
    }

    async fn read(&mut self) -> Result<Value, OutletError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_LINE);
        bounded.read_until(b'\n', &mut line).await.map_err(|error| self.lost(&error))?;
        if line.last() != Some(&b'\n') {
            return Err(self.way.unclear("QEMU's monitor hung up, or says too much"));
        }
        let said: Value = serde_json::from_slice(&line)
            .map_err(|error| self.way.unclear(format!("QEMU's monitor says no JSON: {error}")))?;
        self.was_reset |= said.get("event").and_then(Value::as_str) == Some("RESET");
        Ok(said)
    }

    fn lost(&self, error: &io::Error) -> OutletError {
        self.way.unclear(format!("the connection to QEMU's monitor broke: {error}"))
    }
}

impl Outlet for QmpOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move { if to == Switch::On { self.on().await } else { self.off().await } }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.native_cycle.then(|| self.restart().boxed())
    }
}
