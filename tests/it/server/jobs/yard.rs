//! Workers whose boards are shells of this host, so that jobs take no time of their own: what they may read,
//! and what becomes of a board whose dispatcher is killed.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::folders;
use crate::common::job::JOB;
use crate::common::{Daemon, LIMIT, TestLab, signal, wait_until};
use crate::dispatch::dialogue::{HEAD, stand_in};
use crate::dispatch::host_board::{blocks, device, host_board};
use crate::server::Server;

/// A server with the board `docker01`, and a worker.
pub(super) struct Yard {
    pub(super) server: Server,
    pub(super) worker: Daemon,
}

impl Yard {
    /// The board has these lines more in its dictionary, and the worker these options.
    #[track_caller]
    fn start(lab: &TestLab, dictionary: &str, options: &[&str]) -> Self {
        Self::of(lab, Server::start(lab), dictionary, options)
    }

    /// The same of a server that runs.
    #[track_caller]
    pub(super) fn of(lab: &TestLab, server: Server, dictionary: &str, options: &[&str]) -> Self {
        host_board(lab);
        add_board(&server, dictionary);
        let worker = Self::worker(lab, &server.url(), options);
        Self { server, worker }
    }

    #[track_caller]
    pub(super) fn worker(lab: &TestLab, server: &str, options: &[&str]) -> Daemon {
        let mut worker = lab.program("lava-dispatcher");
        let args = ["worker", "--server", server, "--name", "farm1"];
        worker.args([&args[..], options].concat()).env("PATH", path(lab));
        Daemon::start("lava-dispatcher", &mut worker)
    }

    #[track_caller]
    pub(super) fn submit(&self, definition: &str) -> u64 {
        let asked = json!({"definition": definition, "user": "alice"});
        let answer = self.server.ask("POST", "/jobs", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_u64().unwrap()
    }

    #[track_caller]
    pub(super) fn ended(&self, job: u64) -> Value {
        let mut last = Value::Null;
        wait_until(JOB, "the job ends", || {
            last = self.server.get(&format!("/jobs/{job}"));
            last["state"] == "finished"
        });
        last
    }
}

/// Where stand-ins are found first.
pub(super) fn path(lab: &TestLab) -> String {
    format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap())
}

#[track_caller]
pub(super) fn add_board(server: &Server, dictionary: &str) {
    let board = json!({"type": "docker", "dictionary": device("docker01") + dictionary});
    let answer = server.ask("PUT", "/boards/docker01", &board);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A job for such a board, with these definitions.
fn job(definitions: &str) -> String {
    format!("device_type: docker\n{HEAD}{}- test:\n    definitions:\n{definitions}", blocks(""))
}

/// One that does these steps.
pub(super) fn steps(steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
    job(&format!(
        "    - name: smoke
      from: inline
      path: smoke.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: smoke}}
        run:
          steps:
{steps}"
    ))
}

#[test]
fn a_job_reads_nothing_of_its_worker_but_what_that_was_told() {
    let lab = TestLab::new();
    let open = lab.path("open").display().to_string();
    let tool = |program: &str, args: &[&str]| {
        let mut command = lab.tool(program);
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", &open]).args(args);
        assert!(command.status().unwrap().success());
    };
    lab.write(
        "open/r/defs.yaml",
        "metadata: {format: Lava-Test Test Definition 1.0, name: r}\n\
               run: {steps: [lava-test-case there --result pass]}\n",
    );
    tool("git", &["init", "--quiet", "r"]);
    tool("git", &["-C", "r", "add", "."]);
    tool("git", &["-C", "r", "commit", "--quiet", "-m", "r"]);
    std::os::unix::fs::symlink("/etc/passwd", lab.path("open/passwd")).unwrap();
    let yard = Yard::start(&lab, "", &["--files", &open]);

    let named = [
        ("url", "file:token".to_owned()),
        ("url", format!("file://{open}/passwd")),
        ("url", format!("file://{open}/../home")),
        ("git", "file:///etc".into()),
        ("git", "../..".into()),
        ("bzr", "/etc".into()),
    ];
    let definitions = named.iter().enumerate().map(|(i, (from, place))| {
        format!("    - {{name: d{i}, from: {from}, repository: '{place}', path: a}}\n")
    });
    let device = "- test:
    docker: {image: x, devices: [/dev/sda]}
    definitions:
    - name: c
      from: inline
      path: c.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: c}
        run: {steps: [lava-test-case c --result pass]}
";
    let ended = yard.ended(yard.submit(&(job(&definitions.collect::<String>()) + device)));
    let told = ended["error_msg"].as_str().unwrap();
    let refused = told.matches("a job may not read this of its worker").count();
    // The tests in a container have all of the definitions, too.
    assert_eq!(refused, 2 * named.len() + 1, "{told}");
    assert_eq!(
        (&ended["health"], &ended["error_type"]),
        (&json!("incomplete"), &json!("Configuration"))
    );

    let good = format!("    - {{name: r, from: git, repository: '{open}/r', path: defs.yaml}}\n");
    let ended = yard.ended(yard.submit(&job(&good)));
    assert_eq!(
        (&ended["health"], &ended["tally"]["pass"]),
        (&json!("complete"), &json!(1)),
        "{ended}"
    );
}

#[test]
fn a_board_whose_dispatcher_is_killed_is_nobodys_until_it_is_off() {
    let lab = TestLab::new();
    let (begun, go) = (lab.path("begun"), lab.path("go"));
    let relay = format!(
        "echo $* >>{}; while [ ! -e {} ]; do sleep 0.05; done",
        begun.display(),
        go.display()
    );
    stand_in(&lab, "relay", &relay);
    let yard = Yard::start(&lab, "commands: {power_off: relay off}\n", &[]);
    let job = yard.submit(&steps(&["lava-test-case nap --shell sleep 1000"]));
    wait_until(JOB, "the test runs", || {
        let log = yard.server.ask("GET", &format!("/jobs/{job}/log"), &Value::Null).text();
        log.contains("<STARTRUN") || log.contains("STARTTC nap")
    });
    let claim = lab.path("state/worker/jobs/1/out/claim");
    let process = std::fs::read_to_string(claim).unwrap().trim().parse().unwrap();
    signal(process, Signal::KILL);
    wait_until(LIMIT, "its guard switches the board off", || begun.exists());
    // The worker looks ten times a second.
    for _ in 0..10 {
        assert_eq!(yard.server.get(&format!("/jobs/{job}"))["state"], "running");
        assert_eq!(yard.server.get("/boards/docker01")["state"], "running");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::fs::write(&go, "").unwrap();
    let ended = yard.ended(job);
    assert_eq!(ended["health"], "incomplete", "{ended}");
    let why = ended["error_msg"].as_str().unwrap();
    assert!(why.contains("its dispatcher was killed"), "{why}");
    let log = yard.server.ask("GET", &format!("/jobs/{job}/log"), &Value::Null).text();
    assert!(log.contains("cleaned up after the dispatcher"), "{log}");
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());
}
