//! The real programs, in a folder of their own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::http::Http;
use crate::usage;

/// Killed at the end.
pub(crate) struct Daemon {
    child: Child,
    ready: String,
}

impl Daemon {
    /// Starts a program, and waits until it is ready.
    pub(crate) fn start(dir: &Path, program: &str, args: &[&str]) -> Result<Self> {
        let mut command = ours(dir, program);
        let command = command.args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("{program} does not start"))?;
        let stdout = child.stdout.take().context("no output")?;
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let ready =
            lines.into_iter().find(|line| line.starts_with("ready")).context("never ready")?;
        Ok(Self { child, ready })
    }

    /// What its line says: `http=127.0.0.1:7000`.
    pub(crate) fn told(&self, key: &str) -> Result<&str> {
        let mut words = self.ready.split_whitespace();
        let found = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.with_context(|| format!("no {key} in {:?}", self.ready))
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.told("http")?.parse()?)
    }

    /// Its memory (PSS), in MiB.
    pub(crate) fn memory(&self) -> f64 {
        usage::pss(self.child.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of our programs, with its state there.
pub(crate) fn ours(dir: &Path, program: &str) -> Command {
    let path = match program {
        "lava" => env!("CARGO_BIN_EXE_lava"),
        "lava-server" => env!("CARGO_BIN_EXE_lava-server"),
        _ => env!("CARGO_BIN_EXE_lava-dispatcher"),
    };
    let mut command = Command::new(path);
    command.env("LAVA_RUNTIME_DIR", dir.join("run")).env("STATE_DIRECTORY", dir.join("state"));
    command.env("HOME", dir).env_remove("LAVA_SERVER").env_remove("XDG_CONFIG_HOME");
    command
}

pub(crate) fn server(dir: &Path) -> Result<Daemon> {
    let types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/device-types");
    let config = dir.join("server.toml");
    std::fs::write(&config, format!("[jobs]\ntemplates = [{types:?}]\n"))?;
    let config = config.display().to_string();
    Daemon::start(dir, "lava-server", &["--config", &config, "--listen", "127.0.0.1:0"])
}

/// A board that is ready at once: it has no parts that have to be told of a lease.
pub(crate) async fn board(server: &Daemon) -> Result<()> {
    let mut http = Http::to(server.address()?).await?;
    let _: Value = http.json("PUT", "/boards/panda01", &json!({"type": "panda"})).await?;
    Ok(())
}

/// So long is a board's dictionary, in bytes: the templates of LAVA's own lab come to that.
const DICTIONARY: usize = 15 * 1024;

/// Boards whose parts answer nothing: only the server is asked of them.
pub(crate) async fn boards(server: &Daemon, count: usize) -> Result<()> {
    let mut http = Http::to(server.address()?).await?;
    let dictionary = "# What a device type says.\n".repeat(DICTIONARY / 27);
    for at in 0..count {
        let board = json!({
            "type": "panda", "tags": ["hdmi"], "attributes": {"ram": "1GB", "arch": "armv7"},
            "console": format!("http://127.0.0.1:1/consoles/c{at}"), "dictionary": dictionary,
        });
        let _: Value = http.json("PUT", &format!("/boards/panda{at:04}"), &board).await?;
    }
    Ok(())
}
