//! labgrid's NetworkPowerDriver, with its models `rest` and `simplerest`.

use super::{PDUS, python, start};
use crate::common::{TestLab, http};
use crate::power::Power;

/// Switches with a driver as a test of labgrid's users does, and prints what it reads.
const DRIVER: &str = "
import sys
from labgrid import Target
from labgrid.resource import NetworkPowerPort
from labgrid.driver import NetworkPowerDriver
model, host, index = sys.argv[1:]
target = Target('main')
NetworkPowerPort(target, None, model=model, host=host, index=index)
driver = NetworkPowerDriver(target, None, delay=0.1)
target.activate(driver)
try:
    driver.on(); print(driver.get())
    driver.off(); print(driver.get())
    driver.cycle(); print(driver.get())
except Exception as error:
    print(error)
";

#[test]
fn its_network_power_driver_switches_and_reads() {
    let lab = TestLab::new();
    let power = start(&lab);
    let at = |path: &str| format!("http://{}/labgrid/{path}", power.address);
    for (model, path) in [
        ("rest", "pdus/rack1/{index}"),
        ("rest", "outlets/n1"),
        ("simplerest", "pdus/rack1/{index}/{value}"),
        ("simplerest", "outlets/n1/{value}"),
    ] {
        let driver = python(&lab, "labgrid", DRIVER, &[model, &at(path), "1"]);
        assert_eq!(driver, "True\nFalse\nTrue\n[0]", "{model} {path}");
        assert_eq!(power.done("n1", "off"), "off verified");
    }
    let dead = python(&lab, "labgrid", DRIVER, &["rest", &at("pdus/dead/{index}"), "1"]);
    assert!(dead.contains("502 Server Error: x1 on dead (127.0.0.1:9): "), "{dead}");
    let none = python(&lab, "labgrid", DRIVER, &["simplerest", &at("outlets/n9/{value}"), "1"]);
    assert!(none.contains("404 Client Error"), "{none}");
}

#[test]
fn nothing_but_a_one_and_a_zero_is_understood() {
    let lab = TestLab::new();
    let power = start(&lab);
    for body in ["", "2", "on", "true", "1\n0"] {
        let answer = http(power.address, "PUT", "/labgrid/outlets/n1", body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
    }
    assert_eq!(http(power.address, "GET", "/labgrid/outlets/n1/on", "").status, 400);
    assert_eq!(http(power.address, "HEAD", "/labgrid/outlets/n1/1", "").status, 405);
    assert_eq!(http(power.address, "GET", "/labgrid/pdus/rack1/9", "").status, 404);
    assert_eq!(power.state("n1"), "off verified");
    power.done("n1", "on");
    let on = http(power.address, "GET", "/labgrid/outlets/n1", "");
    assert_eq!((on.status, on.text().as_str()), (200, "1"));
}

#[test]
fn its_driver_logs_in_with_a_token_as_the_password() {
    let lab = TestLab::new();
    let lab_user = crate::rights::user("lab", "write = \"*\"");
    let power = Power::start(&lab, &(lab_user + PDUS));
    let as_user = |who: &str, password: &str| {
        let host = format!("http://{who}:{password}@{}/labgrid/outlets/n1", power.address);
        python(&lab, "labgrid", DRIVER, &["rest", &host, "1"])
    };
    assert_eq!(as_user("whoever", "lava_lab"), "True\nFalse\nTrue\n[0]");
    assert!(as_user("lab", "lava_other").contains("401 Client Error"));
}
