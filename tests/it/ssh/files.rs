//! Captures by scp and sftp, compared with the record.

use super::{SshLab, text};
use crate::common::{LIMIT, http_unix, run, wait_until};

impl SshLab {
    /// The record of panda01, and what the daemon has of it.
    fn record(&self) -> Vec<u8> {
        let socket = self.serial.told("socket");
        http_unix(socket.as_ref(), "GET", "/consoles/panda01/history", "").body
    }

    #[track_caller]
    fn scp(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut scp = self.lab.tool("scp");
        scp.arg("-q").arg("-F").arg(self.client_config("alice")).args(args);
        let said = run(&mut scp, "", LIMIT);
        (said.status.code(), text(&said.stderr))
    }
}

#[test]
fn what_is_copied_is_the_record_as_it_stood() {
    let port = "exec:sh -c 'read a; seq 1 400000; echo the end; cat'";
    let lab = SshLab::with_ports(port, "");
    lab.run(&["lab", "panda01"], "go\n");
    wait_until(LIMIT, "the board has printed it all", || {
        lab.record().windows(7).any(|window| window == b"the end")
    });
    let (code, err) = lab.scp(&["lab:consoles/panda01/log.raw", "raw"]);
    assert_eq!(code, Some(0), "{err}");
    let (copied, record) = (std::fs::read(lab.lab.path("raw")).unwrap(), lab.record());
    assert!(copied.len() > 2_000_000);
    assert!(copied == record, "{} bytes, and the record has {}", copied.len(), record.len());
    let (code, err) = lab.scp(&["-r", "lab:consoles/panda01", "all"]);
    assert_eq!(code, Some(0), "{err}");
    let lines = std::fs::read_to_string(lab.lab.path("all/log.txt")).unwrap();
    assert!(lines.lines().any(|line| line.ends_with("Z  400000")), "{}", &lines[..200]);
    let events = std::fs::read_to_string(lab.lab.path("all/events.jsonl")).unwrap();
    let attached = events.lines().map(|line| serde_json::from_str(line).unwrap());
    let attached = attached.filter(|event: &serde_json::Value| event["who"] == "alice").count();
    assert!(attached > 0, "{events}");
}

#[test]
fn a_part_is_had_from_any_place_and_nothing_is_written_or_outside() {
    let lab = SshLab::start("");
    lab.run(&["lab", "panda01"], "one\ntwo\nthree\n");
    // A copy that was broken off goes on where it stopped.
    lab.lab.write("log.raw", "got one\n");
    lab.lab.write("mine", "x");
    let batch = "ls -l consoles\nls -l consoles/panda01\nreget consoles/panda01/log.raw\n\
                 -put mine consoles/panda01/log.raw\n-rm consoles/panda01/log.raw\n\
                 -get /etc/passwd stolen\n-get consoles/../../etc/passwd stolen\n-get consoles/panda03/log.raw x\n";
    let mut sftp = lab.lab.tool("sftp");
    sftp.arg("-F").arg(lab.client_config("alice")).args(["-b", "-", "lab"]);
    let said = run(&mut sftp, batch, LIMIT);
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success(), "{out}{err}");
    assert!(out.contains("consoles/panda01/log.raw") && out.contains("-r--r--r--"), "{out}");
    assert_eq!(std::fs::read(lab.lab.path("log.raw")).unwrap(), lab.record());
    assert!(!lab.lab.path("stolen").exists());
    assert_eq!(err.to_lowercase().matches("permission denied").count(), 2, "{err}");
    assert_eq!(err.to_lowercase().matches("not found").count(), 3, "{err}");
}

#[test]
fn who_may_not_read_a_console_has_no_copy_of_it() {
    let lab = SshLab::start("");
    lab.reload(&super::config(&lab.lab, "see = \"panda01\"", ""));
    let (code, err) = lab.scp(&["lab:consoles/panda01/log.raw", "raw"]);
    assert_eq!(code, Some(1));
    assert!(err.to_lowercase().contains("permission denied"), "{err}");
}
