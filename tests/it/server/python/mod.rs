//! The Python library: what its README promises runs as it stands there, on boards with a shell.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::jobs::Farm;
use super::{Rack, Server, ci, lava};
use crate::common::job::JOB;
use crate::common::{Daemon, LIMIT, TestLab, needs, run, wait_until};

/// The console is looped: what is typed comes back.
pub(super) const SCRIPT: &str = include_str!("story.py");
/// Images are stored in pieces, over a line that breaks. The arguments: the server's URL, and the folder of its store.
pub(super) const PIECES: &str = include_str!("images.py");

#[test]
fn a_script_reserves_boards_uses_them_and_gives_them_back() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::with_boards(&lab, &server);
    let printed = python(&lab, &server, &["-c", SCRIPT]);
    for line in [
        "has panda01 panda on",
        "'never' has not come within 0.1 s; the last that came: ",
        "refused: panda01 is leased by alice",
        "waits: 1 True",
        "called back",
        "now bob",
        "both panda01 panda02",
        "wrong: \"ram>=much\": \"much\" is no number and no size",
        "never: no board that you may have answers to nosuch",
        "free True",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
    let all = server.get("/requests");
    assert_eq!(all, Value::Array(Vec::new()), "nobody waits and nobody has anything");
}

#[test]
fn a_lease_outlives_the_troubles_of_its_server_and_says_when_it_is_lost() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let printed = python(&lab, &server, &["-c", include_str!("heart.py")]);
    assert!(printed.contains("not masked: 'its own'"), "{printed}");
}

#[test]
fn a_console_outlives_its_daemon_and_no_flood_a_time_out() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let printed = python(&lab, &server, &["-c", include_str!("resume.py")]);
    for line in ["the flood was left in time", "and once more", "went on"] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn commands_run_and_files_go_there_and_back_at_a_boards_shell() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _board = Board::start(&lab, &server);
    let printed = python(&lab, &server, &["-c", include_str!("shell.py")]);
    for line in [
        "Ran(output='one\\ntwo', code=0)\n3\nit's 4\nwrong: 2\n",
        "same: True 1500",
        "ssh -p 22 root@192.0.2.7",
        "identity: True",
        "identities: nothing same another bad",
        "async: 42",
        "bob: []",
        "lost: request",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn the_examples_of_the_readme_run_as_they_stand() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _board = Board::start(&lab, &server);
    let readme = std::fs::read_to_string(library().join("README.md")).unwrap();
    // Jobs have a test of their own.
    let examples: Vec<_> = examples(&readme).filter(|text| !text.contains("submit_job")).collect();
    assert!(examples.len() >= 3);
    for (number, text) in examples.into_iter().enumerate() {
        let file = lab.write(&format!("test_{number}.py"), text);
        let printed = match text.contains("def test_") {
            false => python(&lab, &server, &[&file]),
            true => pytest(&lab, &server, &file),
        };
        assert!(!printed.is_empty(), "{text}");
    }
}

#[test]
fn all_of_it_is_typed_for_the_oldest_python_that_it_is_for() {
    let lab = TestLab::new();
    let version = "import sys; print(*sys.version_info[:2], sep='.')";
    let runs_on = run(lab.tool(python3()).args(["-c", version]), "", LIMIT).stdout;
    let mut mypy = lab.tool(python3());
    mypy.args(["-m", "mypy", "--strict", "--python-version", "3.9", "--cache-dir"]);
    // Its plugin is for pytest, which is there.
    mypy.arg(lab.path("cache")).args(["-p", "lavamux"]).env("MYPYPATH", library());
    let said = run(&mut mypy, "", JOB);
    let told = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{told}{}", String::from_utf8_lossy(&said.stderr));
    // Where there is no such Python, its parser is all that can be asked.
    if runs_on != b"3.9\n" {
        let parse = "import ast, pathlib, sys\n\
            for file in pathlib.Path(sys.argv[1]).glob('**/*.py'):\n\
            \x20   ast.parse(file.read_text(), str(file), feature_version=(3, 9))\n";
        let mut parser = lab.tool(python3());
        let parsed = run(parser.args(["-c", parse]).arg(library()), "", LIMIT);
        assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    }
}

#[test]
fn images_are_stored_over_a_line_that_breaks_and_come_back_as_they_were() {
    let lab = TestLab::new();
    let config = lab.write("server.toml", "[images]\nplace = \"files\"\n");
    let daemon = lab.start("lava-server", ["--listen", "127.0.0.1:0", "--config", &config]);
    let server = Server { address: daemon.address("http"), daemon };
    let store = lab.path("files").display().to_string();
    let printed = python(&lab, &server, &["-c", PIECES, &server.url(), &store]);
    for line in [
        "stored: root.img 1048576 alice nightly 30 days",
        "cut: 3 went on: True",
        "not sent again: True None",
        "read: True True True",
        "listed: ['root.img', 'rootfs'] True",
        "wrong: there is no image \"root.img\"",
        "wrong: bytes have no name: put(data, name)",
        "wrong: 'long' is no time to keep an image: \"30d\", \"12h\" or \"ever\"",
        "async: 5000 True ['hello', 'rootfs']",
        "cancelled",
        "damaged: ",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
    assert_eq!(std::fs::read(lab.path("here")).unwrap(), b"hello".repeat(1000));
    assert!(printed.trim_end().ends_with("[]"), "{printed}");
    let images = server.get("/images").to_string();
    assert!(!images.contains("more"), "{images}");
}

#[test]
fn a_lease_is_extended_and_shared_and_all_of_it_is_told_as_it_happens() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::with_boards(&lab, &server);
    let printed = python(&lab, &server, &["-c", include_str!("lease.py")]);
    for line in [
        "told: board reserved",
        "extended: 50 min True",
        "estimate: True 1",
        "alone: True False",
        "shared: ['bob']",
        "released ended",
        "told: request ended",
        "told: request ready",
        "bob has panda01 None",
        "given: True bob",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn boards_boot_what_is_asked_for_and_tell_how_far_they_are() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let files = farm.boot_files(&lab);
    let script = include_str!("boot.py");
    let printed = python(&lab, &farm.server, &["-c", script, &files[0], &files[1]]);
    for line in [
        "not yet: job 1",
        "refused: panda01 is being booted already, by job 1",
        "states: True",
        "kernel: Linux",
        "streamed: True",
        "waits no more",
        "async states: True ready",
        "async kernel: Linux",
        "failed: True failed",
        "wrong: there is no image \"nosuch\"",
        "log: True incomplete",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn a_ci_job_is_run_and_its_run_followed() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    // Whoever has a CI job run may have a board.
    let board = server.ask("PUT", "/boards/panda01", &json!({"type": "panda"}));
    assert_eq!(board.status, 200, "{}", board.text());
    let repository = ci::repository(&lab, include_str!("ci_script.py"));
    let _worker = ci::worker(&lab, &server, &["--files", &repository]);
    let git = format!("file://{repository}");
    let add = ["ci", "add", "smoke", "--git", &git, "--script", "ci/script.py"];
    assert_eq!(lava(&lab, &server, "alice", &add).0, 0);
    let printed = python(&lab, &server, &["-c", include_str!("ci.py")]);
    for line in [
        "ci: [('smoke', 'ci/script.py', 'alice')]",
        "said: ['given one --two']",
        "came to complete [('speed', 'pass', 1.5), ('job', 'pass', None)]",
        "wrong: there is no CI job \"nosuch\"",
        "async: canceled True 1",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}

#[test]
fn jobs_are_handed_in_and_followed() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    std::fs::copy(lab.path("demo/job/job.yaml"), lab.path("job.yaml")).unwrap();
    // Its prompt is one board's.
    let bad = json!({"health": "bad", "user": "root"});
    assert_eq!(farm.server.ask("POST", "/boards/panda02/health", &bad).status, 200);
    let printed = python(&lab, &farm.server, &["-c", include_str!("jobs.py")]);
    for line in [
        "again: Job(2, 'finished', 'canceled')",
        "log: debug True",
        "came to Job(1, 'finished', 'complete') ['panda01'] None",
        "linux: ['pass']",
        "junit: True",
        "jobs: True complete",
        "async: job 3 is ",
        "wrong: 'job.yaml' is no job definition; of a file: Path('job.yaml')",
        "wrong: job:1:1: \"job_name\" is missing",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
    let readme = std::fs::read_to_string(library().join("README.md")).unwrap();
    let example = examples(&readme).find(|example| example.contains("submit_job")).unwrap();
    let printed = python(&lab, &farm.server, &["-c", example]);
    assert!(printed.trim_end().ends_with("complete  []"), "{printed}");
}

/// What the README shows.
fn examples(readme: &str) -> impl Iterator<Item = &str> {
    readme.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// The Python that the library is tested with: the oldest that it is for, where there is one.
fn python3() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/python/bin/python");
    needs(&python).to_owned()
}

/// Runs it with the library, and gives what it has printed.
#[track_caller]
pub(super) fn python(lab: &TestLab, server: &Server, args: &[&str]) -> String {
    let mut python = lab.tool(python3());
    python.env("PYTHONPATH", library()).args(args);
    printed(lab, server, &mut python)
}

/// … with the library installed, whose plugin pytest finds by itself.
#[track_caller]
fn pytest(lab: &TestLab, server: &Server, file: &str) -> String {
    let venv = lab.path("venv");
    let made = |command: &mut Command| {
        let output = run(command, "", JOB);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    made(lab.tool(python3()).args(["-m", "venv", "--without-pip"]).arg(&venv));
    // pytest, and what the library is built with.
    let purelib = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let there = made(lab.tool(python3()).args(["-c", purelib]));
    let python = venv.join("bin/python");
    let here = made(lab.tool(&python).args(["-c", purelib]));
    std::fs::write(Path::new(&here).join("rig.pth"), there).unwrap();
    // A build leaves files beside what it builds.
    let copy = lab.path("python");
    made(Command::new("cp").arg("-r").args([&library(), &copy]));
    let args = ["-m", "pip", "--disable-pip-version-check", "install", "--no-index"];
    let more = ["--no-build-isolation", "--no-deps"];
    made(lab.tool(&python).args(args).args(more).arg(&copy));
    std::fs::remove_dir_all(&copy).unwrap();
    let args = ["-m", "pytest", "-p", "no:cacheprovider", "--lava-board", "panda"];
    let printed = printed(lab, server, lab.tool(&python).args(args).arg(file));
    assert!(printed.contains("1 passed"), "{printed}");
    assert!(printed.contains("plugins: lavamux-"), "{printed}");
    printed
}

#[track_caller]
fn printed(lab: &TestLab, server: &Server, python: &mut Command) -> String {
    python.env("LAVA_SERVER", server.url());
    let serial = lab.program("lava-serial");
    let words = std::iter::once(serial.get_program()).chain(serial.get_args());
    let words: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    python.env("PYTHONDONTWRITEBYTECODE", "1").env("LAVA_SERIAL", words.join("\n"));
    let output = run(python, "", JOB);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// Two boards with a login, a shell and power: `panda01`, a panda, and `beagle01`, a beagle.
pub(super) struct Board {
    _daemons: [Daemon; 2],
}

impl Board {
    pub(super) fn start(lab: &TestLab, server: &Server) -> Self {
        Self::with(lab, server, "", "")
    }

    /// With more lines for both daemons, and for `lava-power`.
    pub(super) fn with(lab: &TestLab, server: &Server, access: &str, of_power: &str) -> Self {
        needs(Path::new("/bin/busybox"));
        let script = lab.write("board.sh", include_str!("board.sh"));
        let off = lab.write("off.sh", "kill -9 \"$(cat \"$1\")\"\n");
        let common = format!(
            "{access}[server]\nurl = {:?}\nhost = \"farm1\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
            server.url()
        );
        let capture = format!("[capture]\ndir = {:?}\n", lab.path("captures"));
        let boards = ["panda01", "beagle01"].map(|name| (name, lab.path(name)));
        let consoles = boards.iter().map(|(name, runs)| {
            let port = format!("exec:busybox sh {script} {}", runs.display());
            format!("[[console]]\nname = {name:?}\nport = {port:?}\n")
        });
        let serial = format!("{common}{capture}{}", consoles.collect::<String>());
        let serial = lab.write("serial.toml", &serial);
        let serial = lab.start("lava-serial", ["--config", &serial]);
        let at = serial.address("http");
        let outlets = boards.iter().map(|(name, runs)| {
            format!(
                "[[pdu]]\nname = {name:?}\ndriver = \"exec\"\non = [\"true\"]\n\
                 off = [\"busybox\", \"sh\", {off:?}, {runs:?}]\n\
                 [[outlet]]\nname = {name:?}\npdu = {name:?}\nport = 1\noff_time = \"0s\"\n\
                 console = \"http://{at}/consoles/{name}\"\n"
            )
        });
        let power = format!("{common}{of_power}{}", outlets.collect::<String>());
        let power = lab.write("power.toml", &power);
        let daemons = [serial, lab.start("lava-power", ["--config", &power])];
        for (name, kind) in [("panda01", "panda"), ("beagle01", "beagle")] {
            let args = ["board", "add", name, "--type", kind, "--tag", "hdmi"];
            let address = ["--attribute", "address=192.0.2.7", "--attribute", "ram=1GB"];
            wait_until(LIMIT, "its parts are announced", || {
                let parts = ["/consoles", "/outlets"].map(|path| server.get(path).to_string());
                parts.iter().all(|parts| parts.contains(name))
            });
            let added = lava(lab, server, "root", &[&args[..], &address].concat());
            assert_eq!(added.0, 0, "{}", added.2);
        }
        Self { _daemons: daemons }
    }
}
