//! The user's story, as the example that comes with the Python library: on a real U-Boot and Linux behind a real
//! PDU's outlet, and on a virtual machine.

use std::path::Path;

use super::{Lab, key, until_gone};
use crate::common::job::JOB;
use crate::common::{TestLab, boot_file, run};
use crate::server::lava;

#[test]
fn a_program_is_built_on_one_board_and_tested_on_another() {
    let lab = TestLab::new();
    let farm = Lab::start(&lab, true);
    let key = key(&lab);
    farm.store_disk(&lab, "builder");
    for (file, name) in [("Image", "linux"), ("ramdisk.cpio.gz", "rootfs")] {
        let file = boot_file(file).display().to_string();
        let put = ["image", "put", &file, "--name", name];
        let (code, _, err) = lava(&lab, &farm.server, "alice", &put);
        assert_eq!(code, 0, "{err}");
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut script = lab.tool("python3");
    script.arg(python.join("examples/build_and_test.py"));
    script.args(["--disk", "builder", "--kernel", "linux", "--ramdisk", "rootfs", "--key", &key]);
    script.env("PYTHONPATH", &python).env("PYTHONDONTWRITEBYTECODE", "1");
    script.env("LAVA_SERVER", farm.server.url()).env("USER", "alice");
    let done = run(&mut script, "", 2 * JOB);
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(done.status.success(), "{said}");
    let mut rest = said.as_str();
    for line in [
        "have vm01 and panda01\n",
        "vm01 is ready\n",
        "panda01 is ready\n",
        "by SSH: x86_64\n",
        r#"{"case": "compile", "result": "pass"}"#,
        r#"{"case": "primes", "result": "pass", "extra": {"said": "aarch64 5736396"}}"#,
        "gave them back\n",
    ] {
        let at = rest.find(line).unwrap_or_else(|| panic!("no {line:?} in\n{said}"));
        rest = &rest[at + line.len()..];
    }
    // Neither is on any more, and both are free.
    until_gone(&farm.ssh);
    for board in ["vm01", "panda01"] {
        farm.server.until("it is free", &format!("/boards/{board}"), |it| it["lease"].is_null());
    }
}
