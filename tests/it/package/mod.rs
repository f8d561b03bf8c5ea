//! The Debian packages: what their units may, and that they install, serve, are upgraded and go.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{TestLab, needs, program, run};

/// Building, and booting a container, while the machine is busy.
const PATIENCE: Duration = Duration::from_secs(240);

/// The worst mark that a unit may get from systemd, of 10.
const EXPOSED: f64 = 2.0;

#[test]
fn every_unit_is_shut_off_from_what_it_does_not_need() {
    let folder = package().join("systemd");
    let units = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let units: Vec<_> =
        units.filter(|path| path.extension().is_some_and(|it| it == "service")).collect();
    let mut names: Vec<_> = units.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    names.sort_unstable();
    let all = [
        "lava-power@.service",
        "lava-serial.service",
        "lava-serial@.service",
        "lava-server.service",
        "lava-ssh.service",
        "lava-worker.service",
    ];
    assert_eq!(names, all);
    let lab = TestLab::new();
    // What jobs start on its host, as containers, needs more than can be said here.
    for unit in units.into_iter().filter(|unit| !unit.ends_with("lava-worker.service")) {
        let mut analyze = lab.tool("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager"]).arg(&unit);
        let said = String::from_utf8(run(&mut analyze, "", PATIENCE).stdout).unwrap();
        let mark = said.split("Overall exposure level for ").nth(1);
        let mark = mark.and_then(|rest| rest.split_once(": ")?.1.split(' ').next()?.parse().ok());
        let mark: f64 = mark.unwrap_or_else(|| panic!("{}: {said}", unit.display()));
        assert!(mark <= EXPOSED, "{} is at {mark}:\n{said}", unit.display());
    }
    // Who runs jobs reads more than that, as tests/it/architecture lets it.
    let worker = std::fs::read_to_string(package().join("systemd/lava-worker.service")).unwrap();
    assert!(!worker.contains("ProcSubset"), "{worker}");
}

#[test]
fn packages_install_serve_are_upgraded_and_purged() {
    let lab = TestLab::new();
    let root = package().join("target/rig/debian/root");
    needs(&root.with_file_name("made"));
    let share = lab.path("share");
    std::fs::create_dir(&share).unwrap();
    build(&lab, &share);
    let write = |name: &str, text: &str| std::fs::write(share.join(name), text).unwrap();
    write("story.sh", include_str!("story.sh"));
    write("story.service", include_str!("story.service"));

    let mut container = lab.tool("systemd-nspawn");
    container
        .args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--boot"])
        .arg(format!("--machine=lavamux-{}", std::process::id()))
        .arg("--directory")
        .arg(&root)
        // What is written is written nowhere.
        .arg("--volatile=overlay")
        .arg(format!("--bind={}:/share", share.display()))
        .arg(format!(
            "--bind-ro={}/story.service:/etc/systemd/system/story.service",
            share.display()
        ))
        .arg("systemd.wants=story.service");
    let booted = run(&mut container, "", PATIENCE);
    let told = std::fs::read_to_string(share.join("told")).unwrap_or_default();
    let console = String::from_utf8_lossy(&booted.stdout).into_owned();
    assert!(told.contains("\nthe story is over\n"), "{told}\n{console}");
}

/// Builds the packages of the programs that are tested here, not compressed.
fn build(lab: &TestLab, to: &Path) {
    let tree = lab.path("build/lavamux");
    std::fs::create_dir_all(&tree).unwrap();
    let parts =
        ["debian", "systemd", "conf", "python", "README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let mut copy = Command::new("cp");
    copy.arg("-a").args(parts.map(|part| package().join(part))).arg(&tree);
    assert!(copy.status().unwrap().success());
    let mut build = lab.tool("dpkg-buildpackage");
    build.args(["--build=binary", "--no-sign", "--no-check-builddeps"]).current_dir(&tree);
    build.env("LAVA_BUILT", program("lava").parent().unwrap()).env("LAVA_DEB", "-Znone");
    let built = run(&mut build, "", PATIENCE);
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "{}{said}", String::from_utf8_lossy(&built.stdout));
    for entry in std::fs::read_dir(lab.path("build")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "deb") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
