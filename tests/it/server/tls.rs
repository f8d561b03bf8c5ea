//! A lab in which everybody logs in, over TLS: the server, the daemons that announce themselves, a worker, people and
//! scripts, each with a token of their own.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lavamux::model::TokenHash;
use serde_json::{Value, json};

use super::ci::repository;
use super::text;
use crate::common::job::JOB;
use crate::common::{Client, Daemon, LIMIT, Pki, TestLab, needs, run, wait_until};
use crate::web::browser::Browser;

/// The TLS of a daemon.
const HTTPS: &str =
    "[http]\nlisten = \"127.0.0.1:0\"\ncert = \"server.pem\"\nkey = \"server.key\"\n";
/// The outlet of the board: of what runs it has the process in a file.
const RELAY: &str = r#"case $2 in
on) echo on >"$1.state" ;;
off) kill -9 "$(cat "$1")"; echo off >"$1.state" ;;
status) cat "$1.state" ;;
esac
"#;
/// What a job does at the shell of the board.
const JOB_FILE: &str = "device_type: panda
job_name: over TLS
visibility: public
timeouts: {job: {minutes: 5}, action: {minutes: 3}, connection: {minutes: 2}}
actions:
- deploy:
    to: downloads
    images:
      note: {url: 'IMAGE', headers: {PRIVATE-TOKEN: none}}
- boot:
    method: minimal
    auto_login: {login_prompt: 'login:', username: root}
    prompts: ['# ']
- test:
    interactive:
    - name: shell
      prompts: ['# ']
      script:
      - {command: 'echo sum $((40 + 2))', name: sum, successes: [{message: 'sum 42'}]}
";

/// A lab with the board `panda01`, which has a login, a shell and power.
struct Walled {
    lab: TestLab,
    server: Daemon,
    root: String,
    alice: String,
    bob: String,
    _daemons: [Daemon; 2],
}

/// The token of a daemon or a person, in a file that only its owner may read.
fn keep(lab: &TestLab, file: &str, token: &str) {
    lab.write(file, token);
    std::fs::set_permissions(lab.path(file), Permissions::from_mode(0o600)).unwrap();
}

/// Says of a token who shows it, for a daemon's file.
fn shown(name: &str, token: &str, rights: &str) -> String {
    let hash = TokenHash::of(token).unwrap();
    format!("[[token]]\nname = \"{name}\"\nhash = \"{hash}\"\n{rights}\n")
}

impl Walled {
    #[track_caller]
    fn start() -> Self {
        let lab = TestLab::new();
        needs(Path::new("/bin/busybox"));
        Pki::new(&lab, "ca").server("server");
        for name in ["lab", "power"] {
            keep(&lab, &format!("{name}.token"), &format!("lava_{name}"));
        }
        let known = "[daemons]\ntoken_file = \"lab.token\"\nca = \"ca.pem\"\n";
        let config = lab.write("server.toml", &format!("{HTTPS}{known}"));
        let server = lab.start("lava-server", ["--config", &config]);
        let here = |args: &[&str]| {
            let output = lab.run("lava", args, "");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let root = here(&["user", "add", "root", "--control", "*"]);
        let [alice, bob] =
            ["alice", "bob"].map(|name| here(&["user", "add", name, "--write", "panda*"]));
        let token = here(&["user", "add", "farm1", "--control", "*"]);
        keep(&lab, "farm1.token", &token);
        keep(&lab, "worker.token", &here(&["user", "token", "root", "--worker", "farm1"]));

        let announce = format!(
            "[server]\nurl = \"https://{}\"\ntoken_file = \"farm1.token\"\nca = \"ca.pem\"\nhost = \"farm1\"\n",
            server.address("http")
        );
        let people = shown("alice", &alice, "write = \"*\"")
            + &shown("bob", &bob, "write = \"*\"")
            + &shown("lab", "lava_lab", "write = \"*\"\nspeaks_for_others = true");
        let script = lab.write("board.sh", include_str!("python/board.sh"));
        let runs = lab.path("runs").display().to_string();
        let serial = format!(
            "{announce}{HTTPS}{people}{}[capture]\ndir = {:?}\n\
             [[console]]\nname = \"panda01\"\nport = \"exec:busybox sh {script} {runs}\"\n",
            shown("power", "lava_power", "write = \"*\""),
            lab.path("captures")
        );
        let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &serial)]);
        let relay = lab.write("relay.sh", RELAY);
        lab.write("runs.state", "on");
        let [on, off, status] = ["on", "off", "status"]
            .map(|verb| format!("{verb} = [\"busybox\", \"sh\", {relay:?}, {runs:?}, {verb:?}]\n"));
        let power = format!(
            "{announce}{HTTPS}{people}[consoles]\ntoken_file = \"power.token\"\nca = \"ca.pem\"\n\
             [[pdu]]\nname = \"rack1\"\ndriver = \"exec\"\n{on}{off}{status}\
             [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = 1\noff_time = \"0s\"\n\
             console = \"https://{}/consoles/panda01\"\n",
            serial.address("http")
        );
        let power = lab.start("lava-power", ["--config", &lab.write("power.toml", &power)]);
        let walled = Self { lab, server, root, alice, bob, _daemons: [serial, power] };
        for path in ["/consoles", "/outlets"] {
            wait_until(LIMIT, "it is announced", || {
                walled.ask(&walled.root, "GET", path, &Value::Null).1.to_string().contains("farm1")
            });
        }
        walled
    }

    fn url(&self) -> String {
        format!("https://{}", self.server.address("http"))
    }

    /// A request: the status, and the answer.
    #[track_caller]
    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut curl = self.lab.tool("curl");
        curl.args(["-sS", "--cacert", "ca.pem", "-w", "\n%{http_code}", "-X", method]);
        curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        if !body.is_null() {
            let body = body.to_string();
            curl.args(["-H", "Content-Type: application/json", "--data-binary", &body]);
        }
        let said = run(curl.arg(format!("{}{path}", self.url())), "", LIMIT);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let (answer, status) = said.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(answer).unwrap_or(Value::Null))
    }

    /// Runs one of our programs with a token: its exit code, standard output and standard error.
    #[track_caller]
    fn run(&self, token: &str, program: &str, args: &[&str]) -> (i32, String, String) {
        let mut command = self.lab.program(program);
        command.args(args).env("LAVA_SERVER", self.url());
        command.env("LAVA_TOKEN", token).env("LAVA_CA", "ca.pem");
        let output = run(&mut command, "", JOB);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    #[track_caller]
    fn lava(&self, token: &str, args: &[&str]) -> (i32, String, String) {
        self.run(token, "lava", args)
    }

    #[track_caller]
    fn until(&self, what: &str, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_until(JOB, what, || {
            last = self.ask(&self.alice, "GET", path, &Value::Null).1;
            is(&last)
        });
        last
    }

    /// Adds the board, put together from what is announced.
    #[track_caller]
    fn add_board(&self) {
        let dictionary = "hostname: panda01\ndevice_type: panda\ncommands: {connect: lava-console panda01, hard_reset: lava \
             power cycle panda01, power_off: lava power off panda01}\nactions: {boot: {methods: {minimal: }}}\n";
        let dictionary = self.lab.write("panda01.yaml", dictionary);
        let add = ["board", "add", "panda01", "--type", "panda", "--dictionary", &dictionary];
        let (code, out, err) = self.lava(&self.root, &add);
        assert!(code == 0 && out.contains("console https://127.0.0.1:"), "{out}{err}");
    }
}

#[test]
fn a_person_reserves_a_board_is_at_its_console_and_switches_it() {
    let walled = Walled::start();
    walled.add_board();
    // Who shows nothing, or something else, is nobody; so is a server that nobody knows.
    assert_eq!(walled.ask("lava_wrong", "GET", "/boards", &Value::Null).0, 401);
    let mut stranger = walled.lab.program("lava");
    stranger.args(["reserve", "panda"]).env("LAVA_SERVER", walled.url());
    let said = run(stranger.env("LAVA_TOKEN", &walled.alice), "", LIMIT);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("certificate") && said.contains("LAVA_CA"), "{said}");

    let (code, out, err) = walled.lava(&walled.alice, &["reserve", "panda", "--for", "1h"]);
    assert!(code == 0 && out.starts_with("panda01 is yours until 20"), "{out}{err}");
    walled.until("both daemons know", "/requests/1", |it| it["ready"] == true);
    let steps = ["--do", "hardreset", "--expect", "login: ", "--send-line", "root"];
    let console = [&["panda01", "--timeout", "30s"][..], &steps, &["--expect", "# "]].concat();
    let (code, out, err) = walled.run(&walled.alice, "lava-console", &console);
    assert_eq!(code, 0, "{out}{err}");
    let sum = ["panda01", "--exec", "echo $((40 + 2))"];
    let (code, out, err) = walled.run(&walled.alice, "lava-console", &sum);
    assert_eq!((code, out.as_str()), (0, "42\n"), "{err}");
    let (code, out, err) = walled.lava(&walled.alice, &["status", "panda01"]);
    assert!(code == 0 && out.contains("panda01 is on"), "{out}{err}");
    let (code, _, err) = walled.lava(&walled.bob, &["reset", "panda01"]);
    assert!(code == 4 && err.contains("leased by"), "{err}");
    let (code, _, err) = walled.lava(&walled.bob, &["send", "panda01", "reboot"]);
    assert!(code == 4 && err.contains("leased by"), "{err}");
    for args in [&["boards"][..], &["who", "panda01"], &["log", "panda01", "--last", "3"]] {
        let (code, out, err) = walled.lava(&walled.alice, args);
        assert!(code == 0, "{args:?}: {out}{err}");
    }

    // On a terminal, and through the server's own page.
    let mut console = walled.lab.program("lava-console");
    console.args(["panda01"]).env("LAVA_SERVER", walled.url());
    console.env("LAVA_TOKEN", &walled.alice).env("LAVA_CA", "ca.pem");
    let mut console = Client::in_terminal(&mut console);
    console.expect("Connected to panda01 [channel connected]");
    let browser = Browser::start(&walled.lab);
    let page = browser.open(&format!("{}/ui/boards/panda01/console", walled.url()));
    page.expect("one has to log in", "location.pathname === '/login'");
    page.expect("its script is there", "!document.getElementById('enter').disabled");
    page.eval(&format!("document.getElementById('token').value = {}", json!(walled.alice)));
    page.click("#enter");
    let there = "document.getElementById('link').textContent === 'connected'";
    page.expect("the console is there", there);
    page.eval("document.getElementById('keys').focus()");
    page.type_text("echo from $((1 + 1)) sides\r");
    page.expect_text("from 2 sides");
    console.expect("from 2 sides");
    console.type_text("~$quit\r");
    assert_eq!(console.process().wait(LIMIT).code(), Some(0));
    page.go(&format!("{}/ui/boards/panda01", walled.url()));
    page.expect(
        "its power is known",
        "document.getElementById('outlet')?.textContent === 'power on'",
    );
    page.go(&format!("{}/ui/boards", walled.url()));
    let last = "document.querySelector('#board-panda01 .last').textContent.trim() !== ''";
    page.expect("its last line is known", last);
    assert_eq!(page.errors(), [""; 0]);

    assert_eq!(walled.lava(&walled.bob, &["release", "panda01"]).0, 4);
    let (code, _, err) = walled.lava(&walled.alice, &["release", "panda01"]);
    assert_eq!(code, 0, "{err}");
    wait_until(LIMIT, "both daemons know that it is over", || {
        // What she has typed stands against it for ten minutes.
        let (_, _, err) = walled.lava(&walled.bob, &["reset", "panda01"]);
        err.contains("typed") && !err.contains("leased")
    });
}

#[test]
fn a_worker_runs_jobs_and_python_scripts_have_boards() {
    let walled = Walled::start();
    walled.add_board();
    let args = ["worker", "--server", &walled.url(), "--name", "farm1", "--ca", "ca.pem"];
    let script = "from lavamux import Lab\nlab = Lab()\n\
                  with lab.reserve('panda', minutes=5) as board:\n    \
                      lab.result(board.name, 'pass')\n";
    let repository = repository(&walled.lab, script);
    let more = ["--token-file", "worker.token", "--scripts", "--files", &repository];
    let _worker = walled.lab.start("lava-dispatcher", [&args[..], &more].concat());
    let note = walled.lab.write("note", "hello\n");
    let (code, _, err) = walled.lava(&walled.alice, &["image", "put", &note, "--name", "note"]);
    assert_eq!(code, 0, "{err}");
    let image = format!("{}/images/note/content", walled.url());
    let header = format!("Authorization: 'Bearer {}'", walled.alice);
    let job = JOB_FILE.replace("IMAGE", &image).replace("PRIVATE-TOKEN: none", &header);
    let job = walled.lab.write("job.yaml", &job);
    let (code, out, err) = walled.lava(&walled.alice, &["submit", "--follow", &job]);
    assert!(code == 0 && out.contains("sum: pass"), "{out}{err}");
    let ended = walled.until("it has ended", "/jobs/1", |job| job["state"] == "finished");
    assert_eq!((text(&ended["health"]), text(&ended["worker"])), ("complete", "farm1"));
    let (code, out, err) = walled.lava(&walled.bob, &["job", "log", "1"]);
    assert!(code == 0 && out.contains("sum 42"), "{out}{err}");

    let git = format!("file://{repository}");
    let add = ["ci", "add", "smoke", "--git", &git, "--script", "ci/script.py"];
    assert_eq!(walled.lava(&walled.alice, &add).0, 0);
    let (code, out, err) = walled.lava(&walled.alice, &["ci", "run", "smoke", "--follow"]);
    assert!(code == 0 && out.contains("panda01: pass"), "{out}{err}");

    let script = "from lavamux import Lab\n\
                  import sys\n\
                  lab = Lab(sys.argv[1], token=sys.argv[2], ca='ca.pem')\n\
                  with lab.reserve(type='panda', minutes=10) as board:\n    \
                      board.power.cycle()\n    \
                      board.wait_ready(timeout=60)\n    \
                      with board.console() as console:\n        \
                          console.sendline('root')\n        \
                          console.expect('# $')\n    \
                      print(board.run('echo $((40 + 2))').output.strip())\n\
                  print('free', 'lease' not in lab.board('panda01').info)\n";
    let mut python = walled.lab.tool("python3");
    python.args(["-c", script, &walled.url(), &walled.alice]);
    python.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/python"));
    let said = run(python.env("PYTHONDONTWRITEBYTECODE", "1"), "", LIMIT);
    let printed = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(printed, "42\nfree True\n", "{}", String::from_utf8_lossy(&said.stderr));
}
