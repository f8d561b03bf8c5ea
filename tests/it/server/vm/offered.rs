//! A worker offers its machines, which are boards by themselves as long as it lives.

use super::{dictionary, disk, key, until_gone};
use crate::common::job::JOB;
use crate::common::{Daemon, Port, TestLab, run, wait_until};
use crate::server::{Server, lava};

#[test]
fn a_machine_that_a_worker_offers_is_reserved_and_booted_and_comes_and_goes_with_it() {
    let lab = TestLab::new();
    let types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/device-types");
    let jobs = format!("[jobs]\ntemplates = [{types:?}]\nworker_gone = \"15s\"\n");
    let config = lab.write("server.toml", &jobs);
    let daemon = lab.start("lava-server", ["--config", &config, "--listen", "127.0.0.1:0"]);
    let server = Server { address: daemon.address("http"), daemon };
    let line = lab.path("vm01.line").display().to_string();
    let serial = format!(
        "[server]\nurl = {:?}\nhost = \"farm1\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [capture]\ndir = {:?}\n[[console]]\nname = \"vm01\"\nport = \"unix:{line}\"\n",
        server.url(),
        lab.path("captures"),
    );
    let _serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &serial)]);
    server.until("its console is announced", "/consoles", |all| all.to_string().contains("vm01"));
    let ssh = Port::take();
    std::fs::create_dir(lab.path("machines")).unwrap();
    let machine = format!(
        "type = \"vm-x86\"\ndictionary = '''\n{}'''\n[attributes]\narch = \"x86_64\"\n\
         address = \"127.0.0.1\"\nssh-port = \"{}\"\n",
        dictionary(&line),
        ssh.address().port(),
    );
    lab.write("machines/vm01.toml", &machine);
    // The admin has one of this name.
    lab.write("machines/vm02.toml", "type = \"vm-x86\"\n");
    assert_eq!(lava(&lab, &server, "root", &["board", "add", "vm02", "--type", "panda"]).0, 0);

    let worker = |more: &[&str]| -> Daemon {
        let args = ["worker", "--server", &server.url(), "--name", "farm1"];
        let run = ["--", "--dispatcher-ip", "10.0.2.2"];
        lab.start("lava-dispatcher", [&args[..], more, &run].concat())
    };
    let folder = lab.path("machines").display().to_string();
    let offers = ["--machines", folder.as_str()];
    let mut offering = worker(&offers);
    let board = server.until("it is a board", "/boards/vm01", |board| {
        board["worker"] == "farm1" && board["away"].is_null()
    });
    assert_eq!((&board["worker"], &board["offered"]), (&"farm1".into(), &true.into()));
    assert_eq!(board["console"], "farm1/vm01");
    let (_, _, err) = lava(&lab, &server, "root", &["workers"]);
    assert!(err.contains("farm1 offers: vm02: a board of this name was described here"), "{err}");
    assert_eq!(server.get("/boards/vm02")["type"], "panda");

    let (key, image) = (format!("{}.pub", key(&lab)), disk().display().to_string());
    let put = ["image", "put", &image, "--name", "builder", "--vm", "x86_64", "--memory", "256MiB"];
    assert_eq!(lava(&lab, &server, "alice", &put).0, 0);
    let (code, _, err) = lava(&lab, &server, "alice", &["reserve", "type=vm-x86", "--for", "1h"]);
    assert_eq!(code, 0, "{err}");
    let mut booting = lab.program("lava");
    booting.args(["boot", "vm01", "--image", "builder", "--ssh-key", &key]);
    booting.env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    let done = run(&mut booting, "", JOB);
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(done.status.success() && said.contains("vm01: ready (job 1)"), "{said}");
    assert_eq!(lava(&lab, &server, "alice", &["release", "vm01"]).0, 0);
    until_gone(&ssh);
    server.until("it is free", "/boards/vm01", |board| board["lease"].is_null());

    offering.kill();
    let away = || server.get("/boards/vm01")["away"].as_str().unwrap_or_default().to_owned();
    wait_until(JOB, "it is away", || away() == "nothing is heard of its worker farm1 any more");
    let (_, out, _) = lava(&lab, &server, "bob", &["reserve", "name=vm01", "--no-wait"]);
    assert!(out.contains("not to be had: vm01: nothing is heard of its worker"), "{out}");
    let mut offering = worker(&offers);
    server.until("it is given to who waits", "/requests/2", |it| it["state"] == "leased");
    assert_eq!(away(), "");
    assert_eq!(lava(&lab, &server, "bob", &["release", "vm01"]).0, 0);
    let told = |what: &str| {
        let history = server.get("/boards/vm01/history");
        history.as_array().unwrap().iter().filter(|it| it["what"] == what).count()
    };
    wait_until(JOB, "its history tells", || (told("away"), told("back")) == (1, 1));

    // A worker that offers nothing any more leaves it there, and it cannot be used.
    offering.kill();
    let _worker = worker(&[]);
    wait_until(JOB, "it is away", || away() == "its worker farm1 does not offer it any more");
    assert_eq!(lava(&lab, &server, "root", &["board", "remove", "vm01"]).0, 0);
}

#[test]
fn what_a_worker_may_not_say_of_a_machine_is_told_with_its_file() {
    let lab = TestLab::new();
    std::fs::create_dir(lab.path("machines")).unwrap();
    lab.write("machines/vm01.toml", "type = \"vm-x86\"\noutlet = \"panda01\"\n");
    let args =
        ["worker", "--server", "http://127.0.0.1:1", "--name", "farm1", "--machines", "machines"];
    let refused = lab.run("lava-dispatcher", args, "");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("machines/vm01.toml: outlet is for the lab's admin to say"), "{told}");
}
