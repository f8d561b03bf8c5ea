//! A server whose disk is full, and has room again.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Farm, folders, longer};
use crate::common::{Daemon, Heard, LIMIT, Process, TestLab, program, wait_until};
use crate::server::Server;

/// A small disk that outlives the servers which have their folder on it: a mount namespace.
struct Disk<'a> {
    lab: &'a TestLab,
    holder: Daemon,
}

impl<'a> Disk<'a> {
    #[track_caller]
    fn new(lab: &'a TestLab, megabytes: usize) -> Self {
        let dir = lab.path("disk");
        std::fs::create_dir(&dir).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={megabytes}m none {} && echo ready: here=yes && exec sleep infinity",
            dir.display()
        );
        let mut holder = lab.tool("unshare");
        if !rustix::process::getuid().is_root() {
            holder.arg("--map-root-user");
        }
        let holder = Daemon::start("a disk", holder.args(["--mount", "sh", "-c", &script]));
        Self { lab, holder }
    }

    /// A lava-server with its folder there.
    fn server(&self, listen: &str) -> Command {
        let mut command = self.lab.tool("nsenter");
        command.args(["--target", &self.holder.pid().to_string(), "--mount"]);
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        let config = self.lab.path("server.toml");
        command.arg("--").arg(program("lava-server"));
        command.arg("--config").arg(config).arg("--dir").arg(self.lab.path("disk"));
        command.args(["--listen", listen]);
        command
    }

    #[track_caller]
    fn start(&self, listen: &str) -> Server {
        let daemon = Daemon::start("lava-server", &mut self.server(listen));
        Server { address: daemon.address("http"), daemon }
    }

    /// As we see it from here.
    fn path(&self, name: &str) -> PathBuf {
        let dir = self.lab.path("disk");
        PathBuf::from(format!("/proc/{}/root{}", self.holder.pid(), dir.display())).join(name)
    }

    /// Takes all of its room but so many bytes.
    fn fill(&self, but: u64) {
        use std::io::Write as _;
        let mut ballast = std::fs::File::create(self.path("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        let full = ballast.metadata().unwrap().len();
        ballast.set_len(full.saturating_sub(but)).unwrap();
    }

    fn clear(&self) {
        std::fs::remove_file(self.path("ballast")).unwrap();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_confirmed_and_all_goes_on_when_there_is_room() {
    let lab = TestLab::new();
    let disk = Disk::new(&lab, 24);
    Farm::configure(&lab, "");
    let mut farm = Farm::of(&lab, disk.start("127.0.0.1:0"));
    let address = farm.server.address.to_string();
    assert_eq!(farm.server.ask("PUT", "/boards/desk01", &json!({"type": "desk"})).status, 200);
    let job = farm.submit(&lab, longer(6));
    farm.until_logged(job, "nap-0");
    disk.fill(0);

    // Whoever is told that it is so has it; the others are told why not, each in one sentence.
    let (mut confirmed, mut refused) = (Vec::new(), Vec::new());
    wait_until(LIMIT, "somebody is refused", || {
        let asked = json!({"spec": "desk", "for": "1h", "user": "alice"});
        let answer = farm.server.ask("POST", "/requests", &asked);
        match answer.status {
            200 => confirmed.push(us(&answer.json()["id"])),
            _ => refused.push(answer),
        }
        refused.len() >= 5
    });
    for answer in &refused {
        assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
        assert!(answer.text().contains("disk is full"), "{}", answer.text());
    }
    let definition = super::demo_job(&lab);
    let handed_in =
        farm.server.ask("POST", "/jobs", &json!({"definition": definition, "user": "bob"}));
    assert!(handed_in.status >= 500, "{}", handed_in.text());
    assert_eq!(farm.server.ask("PUT", "/boards/desk02", &json!({"type": "desk"})).status / 100, 5);
    // What can be read still is, and the job goes on where it runs.
    assert_eq!(farm.server.get(&format!("/jobs/{job}"))["state"], "running");
    let out = lab.path(&format!("state/worker/jobs/{job}/out"));
    wait_until(LIMIT * 2, "its dispatcher ends", || out.join("results.yaml").exists());
    assert_eq!(farm.server.get(&format!("/jobs/{job}"))["state"], "running");
    assert_eq!(farm.server.ask("GET", "/boards/desk02", &Value::Null).status, 404);

    // A server that begins on such a disk says what is wrong, or serves what there is.
    farm.server.daemon.kill();
    let mut begun = disk.server(&address);
    begun.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut begun = Process::spawn(&mut begun);
    let said = Heard::from(begun.child().stderr.take().unwrap());
    wait_until(LIMIT, "it serves, or has ended", || {
        begun.exited().is_some() || TcpStream::connect(&address).is_ok()
    });
    if let Some(status) = begun.exited() {
        assert!(status.code() == Some(3) && said.text().contains("full"), "{}", said.text());
    }
    drop(begun);

    disk.clear();
    farm.server = disk.start(&address);
    let ended = farm.ended(job);
    assert_eq!(ended["health"], "complete", "{ended}");
    assert_eq!(ended["tally"], json!({"pass": 10, "fail": 0, "skip": 0, "unknown": 0}));
    let log = farm.log(job);
    let naps = log.iter().filter(|line| {
        line["lvl"] == "results" && line["msg"]["case"].to_string().contains("nap-")
    });
    assert_eq!(naps.count(), 6, "each once");
    let offsets: Vec<u64> = log.iter().filter_map(|line| line["offset"].as_u64()).collect();
    assert!(offsets.len() > 20 && offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    assert_eq!(farm.cycles(ended["boards"][0]["name"].as_str().unwrap()), 1);
    let all = farm.server.get("/requests?ended=true");
    let all: Vec<u64> = all.as_array().unwrap().iter().map(|it| us(&it["id"])).collect();
    assert!(confirmed.iter().all(|id| all.contains(id)), "{confirmed:?} of {all:?}");
    assert_eq!(all.len(), confirmed.len() + 1, "nothing of what was refused is there: {all:?}");
    // … and everything goes on.
    let job = farm.submit(&lab, |job| job);
    assert_eq!(farm.ended(job)["health"], "complete");
    wait_until(LIMIT, "the worker has forgotten them", || folders(&lab).is_empty());
}

/// A lease that is over while nothing can be written: it ends when there is room, and is nobody else's before.
#[test]
fn a_lease_that_is_over_while_the_disk_is_full_ends_when_there_is_room() {
    let lab = TestLab::new();
    let disk = Disk::new(&lab, 16);
    lab.write("server.toml", "");
    let mut server = disk.start("127.0.0.1:0");
    assert_eq!(server.ask("PUT", "/boards/desk01", &json!({"type": "desk"})).status, 200);
    let asked = |server: &Server, user: &str, length: &str| {
        let asked = json!({"spec": "desk", "for": length, "user": user});
        us(&server.ask("POST", "/requests", &asked).json()["id"])
    };
    let hers = format!("/requests/{}", asked(&server, "alice", "5s"));
    server.until("it is hers", &hers, |it| it["state"] == "leased");
    let his = format!("/requests/{}", asked(&server, "bob", "1h"));
    disk.fill(0);
    wait_until(LIMIT, "nothing more is written", || {
        server.ask("PUT", "/boards/desk02", &json!({"type": "desk"})).status != 200
    });
    server.daemon.wait_for_log(LIMIT, "nothing is decided");
    let lease = server.get("/boards/desk01");
    assert_eq!(lease["lease"]["holder"], "alice", "{lease}");
    assert_eq!(server.get(&his)["state"], "waiting");
    disk.clear();
    server.until("it is his", &his, |it| it["state"] == "leased");
    let ended = server.get(&hers);
    assert_eq!((&ended["state"], &ended["ending"]), (&"ended".into(), &"expired".into()));
    let history = server.get("/boards/desk01/history");
    let mut what: Vec<_> =
        history.as_array().unwrap().iter().map(|it| it["what"].to_string()).collect();
    what.sort();
    assert_eq!(what, [r#""added""#, r#""leased""#, r#""leased""#, r#""released""#], "each once");

    // What is confirmed afterwards is on the disk.
    let carols = format!("/requests/{}", asked(&server, "carol", "1h"));
    server.daemon.kill();
    let server = disk.start("127.0.0.1:0");
    assert_eq!(server.get(&his)["state"], "leased");
    assert_eq!(server.get(&carols)["user"], "carol");
}

fn us(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}
