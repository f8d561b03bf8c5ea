//! Secrets come from files and from systemd's credentials, and are seen nowhere.

use std::process::Command;

use super::Power;
use crate::common::{LIMIT, TestLab, wait_until};

const SECRET: &str = "correct-horse-battery";

#[test]
fn a_credential_is_read_and_is_in_no_log_no_argument_and_no_answer() {
    let lab = TestLab::new();
    lab.write("credentials/rack1.community", &format!("{SECRET}\n"));
    let config = "[[pdu]]\nname = \"rack1\"\ndriver = \"snmp\"\naddress = \"127.0.0.1:9\"\n\
                  profile = \"apc-rpdu\"\nversion = \"2c\"\ntimeout = \"100ms\"\n\
                  community_file = \"credential:rack1.community\"\n\
                  [[outlet]]\nname = \"n1\"\npdu = \"rack1\"\nport = 1\n\
                  [http]\nlisten = \"127.0.0.1:0\"\n";
    let config = lab.write("power.toml", config);
    let mut command = lab.program("lava-power");
    command.env("CREDENTIALS_DIRECTORY", lab.path("credentials")).env("LAVA_LOG", "trace");
    let daemon = crate::common::Daemon::start("lava-power", command.args(["--config", &config]));
    let address = daemon.address("http");
    let power = Power { daemon, address };
    let mut seen = power.fails("n1", "on").1;
    wait_until(LIMIT, "the audit line", || power.daemon.log().text().contains("audit"));
    for path in ["/outlets", "/metrics", "/outlets/n1"] {
        seen.push_str(&power.get(path).text());
    }
    seen.push_str(&power.daemon.log().text());
    seen.push_str(&power.daemon.output().text());
    let process = format!("/proc/{}", power.daemon.pid());
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("{process}/{file}")).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(seen.contains("power.toml") && seen.contains("n1 on rack1"), "{seen}");
    assert!(!seen.contains(SECRET), "{seen}");
}

#[test]
fn without_systemd_a_credential_is_a_mistake_with_its_place() {
    let lab = TestLab::new();
    let config = "[[pdu]]\nname = \"rack1\"\ndriver = \"snmp\"\naddress = \"127.0.0.1\"\n\
                  profile = \"apc-rpdu\"\nversion = \"2c\"\ncommunity_file = \"credential:rack1\"\n\
                  [[outlet]]\nname = \"n1\"\npdu = \"rack1\"\nport = 1\n";
    let said = lab.run("lava-power", ["--config", &lab.write("power.toml", config)], "");
    assert_eq!(said.status.code(), Some(2));
    let told = String::from_utf8_lossy(&said.stderr);
    let expected = "power.toml:7:18: pdu[0].community_file: there are no credentials here; systemd hands \
                    them over, with LoadCredential=rack1:FILE in the unit";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn the_unit_is_as_closed_as_it_says() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/lava-power@.service");
    // In tenths: 2.0.
    let mut analyze = Command::new("systemd-analyze");
    let said = analyze.args(["security", "--offline=true", "--threshold=20", unit]).output();
    let said =
        said.unwrap_or_else(|error| panic!("systemd-analyze: {error}; tests/run installs it"));
    let told = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{}", told.lines().last().unwrap_or_default());
}
