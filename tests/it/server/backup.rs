//! A lab goes through a backup, also to another kind of database.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Server, lava};
use crate::common::postgres::Postgres;
use crate::common::{TestLab, http_as};

#[test]
fn a_lab_is_backed_up_while_it_runs_and_restored_into_another_database() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    let image = lab.write("kernel", "vmlinux");
    assert_eq!(lava(&lab, &server, "alice", &["image", "put", &image]).0, 0);
    // What is done on its own socket needs no login, whoever has to have one elsewhere.
    let added = lab.run("lava", ["user", "add", "alice", "--write", "*"], "");
    let token = String::from_utf8(added.stdout).unwrap();
    let whole = |name: &str| lab.path(name).display().to_string();
    let (state, to) = (whole("state"), whole("backup"));
    let dir = server.daemon.told("dir").to_owned();
    let log = Path::new(&dir).join("jobs/7/panda01");
    std::fs::create_dir_all(&log).unwrap();
    std::fs::write(log.join("log.jsonl"), "{}\n").unwrap();
    std::fs::create_dir(log.parent().unwrap().with_file_name("8")).unwrap();

    let run = |args: &[&str]| {
        let output = lab.run("lava-server", args, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, told, err) = run(&["backup", &to]);
    assert!(code == 0 && told.contains(" rows, and 2 files that were not there"), "{told}{err}");
    // A second one copies only what is new, and leaves out what is no more.
    std::fs::remove_dir_all(log.parent().unwrap()).unwrap();
    let (_, told, err) = run(&["--dir", &dir, "backup", &to]);
    assert!(told.contains(" rows, and 0 files"), "{told}{err}");
    assert!(!lab.path("backup/jobs/7").exists());
    // An image that is damaged by now does not take the place of the good copy.
    let stored = image_in(&Path::new(&dir).join("images")).unwrap();
    let copy = image_in(&lab.path("backup")).unwrap();
    std::fs::write(&stored, "vmlinuz").unwrap();
    let (code, _, err) = run(&["backup", &to]);
    assert!(code == 3 && err.contains("damaged images were not copied"), "{err}");
    assert!(err.contains(&stored.display().to_string()), "{err}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "vmlinux");
    std::fs::write(&stored, "vmlinux").unwrap();
    let (code, _, err) = run(&["backup", &dir]);
    assert!(code == 2 && err.contains("has something in it that is no backup of ours"), "{err}");
    let (code, _, err) = run(&["restore", &to]);
    assert!(code == 3 && err.contains("another lava-server has the folder"), "{err}");
    server.daemon.kill();
    let kept = Path::new(&dir).join("jobs/8");
    std::fs::write(lab.path("backup/jobs/8/log.jsonl"), "{}\n").unwrap();
    let (code, _, err) = run(&["restore", &to]);
    assert!(code == 2 && err.contains("the database has board_events already"), "{err}");
    assert!(!kept.join("log.jsonl").exists(), "nothing of a lab that is there is touched");
    // A folder that is not mounted does not empty its copy.
    std::fs::remove_dir(&kept).unwrap();
    let (code, _, err) = run(&["backup", &to]);
    assert!(code == 3 && err.contains("mount it, or remove"), "{err}");
    assert!(lab.path("backup/jobs/8/log.jsonl").exists());

    let postgres = Postgres::start();
    let url = postgres.url();
    let args = ["--database", &url, "--dir", &state];
    let (code, told, err) = run(&[&["restore", &to], &args[..]].concat());
    assert!(code == 0 && told.contains("files that were not there"), "{told}{err}");
    let daemon = lab.start("lava-server", [&args[..], &["--listen", "127.0.0.1:0"]].concat());
    let server = Server { address: daemon.address("http"), daemon };
    let ask = |path: &str| http_as(server.address, Some(token.trim()), "GET", path, "");
    assert_eq!(ask("/boards/panda01").json()["lease"]["holder"], "alice");
    assert_eq!(ask("/images/kernel/content").text(), "vmlinux");
    assert_eq!(ask("/boards/panda01/history").json()[0]["what"], "added");
}

/// The one stored image below a folder.
fn image_in(folder: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.find_map(|path| match path.is_dir() {
        true => image_in(&path),
        false => path.file_name().is_some_and(|name| name.len() == 64).then_some(path),
    })
}
