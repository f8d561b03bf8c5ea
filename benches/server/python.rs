//! The Python library beside labgrid's client: how long a script takes that has a board, and gives it back.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::farm::{board, server};
use crate::times;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
const RESERVE: &str =
    "from lavamux import Lab\nwith Lab(user='bench').reserve('panda') as board: pass\n";

pub(crate) fn python(runs: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = server(dir.path())?;
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(board(&server)))?;
    let ours = |script: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", script]).env("PYTHONPATH", LIBRARY);
        command.env("LAVA_SERVER", format!("http://{}", server.told("http").unwrap_or_default()));
        command
    };
    row("python3 -c pass", runs, || ours("pass"))?;
    row("import lavamux", runs, || ours("import lavamux"))?;
    row("the library: reserve and give back", runs, || ours(RESERVE))?;
    labgrid(dir.path(), runs)
}

/// A place of a coordinator: acquire and release are a program each.
fn labgrid(dir: &Path, runs: usize) -> Result<()> {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/labgrid/bin");
    if !bin.exists() {
        println!("| labgrid-client | left out: tests/rig/labgrid installs it |");
        return Ok(());
    }
    let at = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let mut coordinator = Command::new(bin.join("labgrid-coordinator"));
    coordinator.args(["-l", &at]).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    let mut coordinator = coordinator.spawn()?;
    while std::net::TcpStream::connect(&at).is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let client = |args: &[&str]| {
        let mut command = Command::new(bin.join("labgrid-client"));
        command.args(["-x", &at, "-p", "panda"]).args(args).env("HOME", dir);
        command
    };
    let measured = (|| {
        run(client(&["create"]))?;
        let mut pythons = Command::new(bin.join("python"));
        pythons.args(["-c", "import labgrid"]);
        run(pythons)?;
        row("import labgrid", runs, || {
            let mut python = Command::new(bin.join("python"));
            python.args(["-c", "import labgrid"]);
            python
        })?;
        let mut took = Vec::new();
        for _ in 0..runs {
            let begin = Instant::now();
            run(client(&["acquire"]))?;
            run(client(&["release"]))?;
            took.push(begin.elapsed());
        }
        times("labgrid-client: acquire and release", took);
        Ok(())
    })();
    let _ = coordinator.kill();
    let _ = coordinator.wait();
    measured
}

fn row(what: &str, runs: usize, command: impl Fn() -> Command) -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..runs {
        let begin = Instant::now();
        run(command())?;
        took.push(begin.elapsed());
    }
    times(what, took);
    Ok(())
}

fn run(mut command: Command) -> Result<()> {
    let done = command.output()?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
