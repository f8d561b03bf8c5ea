//! `lava doctor` finds what is really wrong.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Rack, lava};
use crate::common::{LIMIT, Pki, TestLab, run};

/// What it says of one matter: state, what, mend.
#[track_caller]
fn findings(lab: &TestLab, args: &[&str], check: &str) -> Vec<(String, String, String)> {
    let args = [&["doctor", "--json"], args].concat();
    let (_, out, err) = lava(lab, &args);
    let rows: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().unwrap().iter().filter(|row| row["check"] == check);
    rows.map(|row| (text(&row["state"]), text(&row["what"]), text(&row["mend"]))).collect()
}

/// The one thing of a matter that is wrong: what, and what mends it.
#[track_caller]
fn wrong(lab: &TestLab, args: &[&str], check: &str) -> (String, String) {
    let found = findings(lab, args, check);
    let wrong = found.iter().filter(|(state, ..)| state == "wrong").cloned();
    let wrong: Vec<_> = wrong.map(|(_, what, mend)| (what, mend)).collect();
    assert_eq!(wrong.len(), 1, "{check}: {found:?}");
    wrong.into_iter().next().unwrap()
}

#[test]
fn a_lab_that_is_well_is_found_so() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let (serial, power) = (lab.path("serial.toml"), lab.path("power.toml"));
    let args = ["--serial", serial.to_str().unwrap(), "--power", power.to_str().unwrap()];
    for check in ["inventory", "daemons", "pdus", "configs", "captures"] {
        let found = findings(&lab, &args, check);
        assert!(!found.is_empty(), "{check}");
        assert!(found.iter().all(|(state, ..)| state == "good"), "{found:?}");
    }
}

#[test]
fn a_dead_daemons_socket_and_a_silent_daemon_are_told() {
    let lab = TestLab::new();
    let socket = lab.path("run/serial-4711.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let (what, mend) = wrong(&lab, &[], "daemons");
    assert!(what.ends_with("was left by a daemon that is gone"), "{what}");
    // What it says mends it.
    assert!(Command::new("sh").args(["-c", &mend]).status().unwrap().success());
    assert!(findings(&lab, &[], "daemons").iter().all(|(state, ..)| state != "wrong"));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = lab.write(
        "lab.toml",
        &format!("[[board]]\nname = \"panda01\"\nconsole = \"http://{gone}/consoles/panda01\"\n"),
    );
    let (what, _) = wrong(&lab, &["--lab", &file], "daemons");
    assert!(what.contains("cannot connect"), "{what}");
    let (code, out, _) = lava(&lab, &["doctor", "--lab", &file]);
    assert!(code == 1 && out.contains("mend: ") && !out.contains('\u{1b}'), "{out}");
}

#[test]
fn wrong_files_are_told_with_their_places() {
    let lab = TestLab::new();
    let serial = lab.write("serial.toml", "[[console]]\nname = \"a\"\nprot = \"sim:uart\"\n");
    let (what, mend) = wrong(&lab, &["--serial", &serial], "configs");
    assert!(what.contains("serial.toml:3:1") && mend.contains(&serial), "{what} {mend}");
    let inventory = lab.write("lab.toml", "[[board]]\nname = 7\n");
    let (what, _) = wrong(&lab, &["--lab", &inventory], "inventory");
    assert!(what.contains("lab.toml:2:8"), "{what}");
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let serial = lab.write(
        "other.toml",
        &format!(
            "[http]\nlisten = \"{address}\"\n[[console]]\nname = \"a\"\nport = \"sim:uart\"\n"
        ),
    );
    let (what, mend) = wrong(&lab, &["--serial", &serial], "ports");
    assert!(what.contains("in use") && mend.contains("ss -ltnp"), "{what} {mend}");
}

#[test]
fn others_may_not_read_a_token_and_certificates_end() {
    let lab = TestLab::new();
    let token = lab.write("home/.config/lava/token", "lava_x\n");
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    let inventory =
        lab.write("lab.toml", "[[board]]\nname = \"a\"\nconsole = \"unix:/gone:/consoles/a\"\n");
    let (what, mend) = wrong(&lab, &["--lab", &inventory], "tokens");
    assert!(what.contains("mode 644"), "{what}");
    assert!(Command::new("sh").args(["-c", &mend]).status().unwrap().success());
    assert!(findings(&lab, &["--lab", &inventory], "tokens").is_empty());

    let pki = Pki::new(&lab, "ca");
    pki.server("lab");
    let config = |cert: &Path| {
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {:?}\n\
             [[console]]\nname = \"a\"\nport = \"sim:uart\"\n",
            lab.path("short.key")
        )
    };
    let (key, cert) = (lab.path("short.key"), lab.path("short.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-subj", "/CN=lab", "-days", "3", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let serial = lab.write("tls.toml", &config(&cert));
    let (what, _) = wrong(&lab, &["--serial", &serial], "certificates");
    assert!(what.ends_with("expires in 2 days") || what.ends_with("expires in 3 days"), "{what}");
}

#[test]
fn a_full_disk_and_a_folder_without_permission_are_told() {
    let lab = TestLab::new();
    let serial = |dir: &str| {
        let file =
            format!("[capture]\ndir = {dir:?}\n[[console]]\nname = \"a\"\nport = \"sim:uart\"\n");
        lab.write("serial.toml", &file)
    };
    // A small disk of our own, in a mount namespace of our own.
    let disk = lab.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let disk = disk.to_str().unwrap();
    let file = serial(disk);
    let lava = crate::common::program("lava");
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs {disk}; head -c 2M /dev/zero >{disk}/full 2>/dev/null; \
         exec {} doctor --json --serial {file}",
        lava.display()
    );
    let output = run(
        lab.tool("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]),
        "",
        LIMIT,
    );
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{out}{told}");
    assert!(out.contains(" is full: 0 MiB of 1 are free"), "{out}{told}");

    // As somebody who is not root.
    let closed = tempfile::Builder::new().prefix("lava-doctor-").tempdir().unwrap();
    let dir = closed.path().join("captures");
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(closed.path(), Some(65534), Some(65534)).unwrap();
    std::os::unix::fs::chown(&dir, Some(65534), Some(65534)).unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o500)).unwrap();
    let config = closed.path().join("serial.toml");
    std::fs::copy(serial(dir.to_str().unwrap()), &config).unwrap();
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o644)).unwrap();
    let mine = closed.path().join("lava");
    std::fs::copy(&lava, &mine).unwrap();
    let mut asked = Command::new("setpriv");
    asked.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&mine);
    asked.args(["doctor", "--json", "--serial"]).arg(&config).current_dir("/");
    asked.env("LAVA_RUNTIME_DIR", closed.path()).env("HOME", closed.path());
    let output = run(&mut asked, "", LIMIT);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("may not write in") && out.contains("chmod u+rwx"), "{out}");
}

#[test]
fn failed_units_are_told() {
    let lab = TestLab::new();
    let systemctl = lab.write(
        "bin/systemctl",
        "#!/bin/sh\necho 'lava-power@rack1.service loaded failed failed Outlets'\n",
    );
    std::fs::set_permissions(&systemctl, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    let output = run(lab.program("lava").args(["doctor", "--json"]).env("PATH", path), "", LIMIT);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("lava-power@rack1.service has failed"), "{out}");
    assert!(out.contains("journalctl -u lava-power@rack1.service"), "{out}");
}

#[test]
fn addresses_are_served_by_our_programs_free_or_somebody_elses() {
    let lab = TestLab::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let serial = |name: &str, address: &str| {
        let file = format!(
            "[[console]]\nname = \"panda01\"\nport = \"sim:uart\"\ntelnet = {address:?}\n\
             [capture]\ndir = {:?}\n",
            lab.path("captures")
        );
        lab.write(name, &file)
    };
    // Somebody else has a console's address, and nobody is at the console for having looked.
    let taken = serial("taken.toml", &address.to_string());
    let (what, mend) = wrong(&lab, &["--serial", &taken], "ports");
    assert!(what.contains(&format!("{address} (telnet of panda01) cannot")), "{what}");
    assert!(what.contains("in use by ") && mend.contains("sport = :"), "{what} {mend}");
    held.set_nonblocking(true).unwrap();
    assert!(held.accept().is_err(), "nobody has connected");
    // Another host's.
    let config = std::fs::read_to_string(&taken).unwrap();
    let config = config.replace(&address.to_string(), "192.0.2.1:7001\"\ninsecure = true #");
    let (what, mend) = wrong(&lab, &["--serial", &lab.write("other.toml", &config)], "ports");
    assert!(what.contains("192.0.2.1:7001 (telnet of panda01) cannot be listened on: "), "{what}");
    assert!(mend.contains("other.toml") && mend.contains("ip -br address"), "{mend}");
    drop(held);
    let serial = serial("serial.toml", &address.to_string());
    let ports = || findings(&lab, &["--serial", &serial], "ports");
    assert!(ports()[0].1.starts_with("nobody listens: "), "{:?}", ports());
    let _daemon = lab.start("lava-serial", ["--config", &serial]);
    assert!(ports()[0].1.starts_with("served: ") && ports().len() == 1, "{:?}", ports());

    let key = lab.write("alice.pub", "");
    let ssh = format!("[ssh]\nlisten = \"{address}\"\nhost_key = {key:?}\n");
    let ssh = lab.write("ssh.toml", &ssh);
    let (what, _) = wrong(&lab, &["--ssh", &ssh], "configs");
    assert!(what.contains("nobody can log in"), "{what}");
}

#[test]
fn what_is_to_be_typed_can_be_typed() {
    let lab = TestLab::new();
    let token = lab.write("a b/token", "lava_x\n");
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    let inventory = lab.write(
        "lab.toml",
        &format!(
            "[[board]]\nname = \"a\"\nconsole = \"unix:/gone/x.sock:/consoles/a\"\n\
             token_file = {token:?}\n\
             [[board]]\nname = \"b\"\nconsole = \"http://lab7.invalid:7100/consoles/b\"\n"
        ),
    );
    let args = ["--lab", &inventory];
    let told = findings(&lab, &args, "daemons");
    let mends: Vec<&str> = told.iter().map(|(.., mend)| mend.as_str()).collect();
    assert!(mends.iter().all(|mend| !mend.contains("lava-*' ")), "{mends:?}");
    let (what, mend) = wrong(&lab, &args, "tokens");
    assert!(what.contains("mode 644"), "{what}");
    assert!(Command::new("sh").args(["-c", &mend]).status().unwrap().success(), "{mend}");
    // Once its token is good, it is the daemon that is to be started.
    let told = findings(&lab, &args, "daemons");
    let mends: Vec<&str> = told.iter().map(|(.., mend)| mend.as_str()).collect();
    assert!(mends.contains(&"sudo systemctl start lava-serial"), "{told:?}");
    assert!(mends.iter().any(|mend| mend.ends_with("lab7.invalid")), "{told:?}");
}
