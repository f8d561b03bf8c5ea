//! `lava init` writes what the daemons take.

use serde_json::Value;

use crate::common::{LIMIT, TestLab, Tree, UsbAdapter, program, run};

#[test]
fn what_is_plugged_in_is_a_configuration_that_the_daemon_takes() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _plugged = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    let dir = lab.path("etc");
    let init = |more: &[&str]| {
        let mut program = lab.program("lava");
        program.args(["init", "--dir"]).arg(&dir).args(more);
        run(tree.show(&mut program), "", LIMIT)
    };
    let first = init(&["--json"]);
    let told = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{told}");
    let written: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(written["boards"], serde_json::json!(["usb-A50285BI"]));
    assert_eq!(written["files"].as_array().unwrap().len(), 2);

    let config = dir.join("serial.toml");
    let checked = lab.run("lava-serial", ["--config", config.to_str().unwrap(), "--check"], "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(
        text.contains("serial = \"A50285BI\"") && text.starts_with("# Made by lava init."),
        "{text}"
    );
    let inventory = std::fs::read_to_string(dir.join("lab.toml")).unwrap();
    assert!(inventory.contains("/consoles/usb-A50285BI"), "{inventory}");

    // Somebody has worked on it since.
    std::fs::write(&config, "# mine\n").unwrap();
    let again = init(&[]);
    assert_eq!(again.status.code(), Some(2));
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(told.contains("serial.toml") && told.contains("--force"), "{told}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "# mine\n");
    assert!(init(&["--force"]).status.success());
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
}

#[test]
fn a_host_without_adapters_begins_too() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let dir = lab.path("etc");
    let mut program = lab.program("lava");
    let output = run(tree.show(program.args(["init", "--dir"]).arg(&dir)), "", LIMIT);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("No serial adapter is plugged in"), "{said}");
    let config = dir.join("serial.toml");
    let checked = lab.run("lava-serial", ["--config", config.to_str().unwrap(), "--check"], "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(!dir.join("lab.toml").exists());
}

#[test]
fn a_pdu_that_does_not_answer_leaves_nothing_behind() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let dir = lab.path("etc");
    let mut program = lab.program("lava");
    program.args(["init", "--pdu", "not an address", "--dir"]).arg(&dir);
    let output = run(tree.show(&mut program), "", LIMIT);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!dir.exists());
}

#[test]
fn for_root_it_writes_what_the_units_serve() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _plugged = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    // A host of our own: the files of the packages, and nothing else of /etc.
    let script = format!(
        "set -e; mount -t tmpfs tmpfs /etc; mkdir -p /etc/lava/serial.d /etc/systemd/system; \
         echo 'lava:x:65534:' >/etc/group; echo '[discover]' >/etc/lava/serial.d/discover.toml; \
         touch /etc/systemd/system/lava-serial.service; {lava} init; \
         {lava} doctor || true; stat -c '%a %g' /etc/lava/serial.d/init.toml; cat /etc/lava/lab.toml; \
         {serial} --config /etc/lava/serial.d --check",
        lava = program("lava").display(),
        serial = program("lava-serial").display()
    );
    let mut host = lab.tool("unshare");
    let output = run(tree.show(host.args(["--mount", "sh", "-c", &script])), "", LIMIT);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}{told}");
    for line in [
        "wrote /etc/lava/serial.d/init.toml",
        "  systemctl enable lava-serial",
        "  systemctl reload-or-restart lava-serial",
        "good   configs     /etc/lava/serial.d: ",
        "console = \"http://127.0.0.1:7100/consoles/usb-A50285BI\"",
    ] {
        assert!(said.contains(line), "{line} in {said}{told}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
