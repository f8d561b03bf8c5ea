//! pyserial's own tests of serial ports, as they are in the source distribution of 3.5.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{one, opened};
use crate::common::{TestLab, run};

/// The tests that there are; and those of them that pyserial skips because they need a device.
const TESTS: usize = 61;
const SKIPPED: usize = 5;

/// The tests that fail with every server, for what pyserial's client is.
const IMPOSSIBLE: [&str; 5] = [
    // "write_timeout is currently not supported" (and once more when the test cleans up).
    "Test_MoreTimeouts.test_WriteTimeout",
    // The client has no cancel_read, and no cancel_write.
    "TestCancelRead.test_cancel_once",
    "TestCancelWrite.test_cancel_once",
    // With a timeout of 0 its read(n) gives one byte, however many are there.
    "Test4_Nonblocking.test2_Loopback",
    "Test4_Nonblocking.test2_LoopbackTimeout",
];

/// Of a console with a plug, and of a console whose port is the first one's telnet port: what
/// passes through one of us passes through two.
#[test]
fn pyserials_own_suite_passes_but_for_what_is_impossible() {
    let labs = [TestLab::new(), TestLab::new(), TestLab::new()];
    let (plugged, far) = (one(&labs[0], "sim:uart"), one(&labs[1], "sim:uart"));
    let near = one(&labs[2], &format!("rfc2217:{}", far.address("telnet")));
    opened(&near);
    std::thread::scope(|scope| {
        for serial in [&plugged, &near] {
            let url = format!("rfc2217://{}", serial.address("telnet"));
            let lab = &labs[0];
            scope.spawn(move || suite(lab, &url));
        }
    });
}

fn suite(lab: &TestLab, url: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/pyserial/test");
    assert!(folder.exists(), "{} is missing: tests/run prepares it", folder.display());
    let mut suite = lab.tool("python3");
    suite.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1").args(["run_all_tests.py", url]);
    let output = run(&mut suite, "", Duration::from_secs(200));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();

    // `ERROR: test_RTS (test.Test0_DataWires.test_RTS)`; before Python 3.11 without the last word.
    let failed: BTreeSet<String> = told
        .lines()
        .filter_map(|line| line.strip_prefix("ERROR: ").or(line.strip_prefix("FAIL: ")))
        .filter_map(|line| {
            let (test, place) = line.split_once(" (")?;
            Some(format!("{}.{test}", place.trim_end_matches(')').split('.').nth(1)?))
        })
        .collect();
    assert_eq!(failed, IMPOSSIBLE.map(str::to_owned).into(), "{told}");
    let counted = [format!("Ran {TESTS} tests in "), format!("skipped={SKIPPED})")];
    assert!(counted.iter().all(|count| told.contains(count)), "{counted:?}\n{told}");
}
