//! pyserial's own tests of serial ports.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::one;
use crate::common::{TestLab, run};

/// Tests of pyserial that fail with every server: its client raises NotImplemented, has nothing to
/// cancel with, or asks for what takes no time at all.
const IMPOSSIBLE: [&str; 5] = [
    "Test_MoreTimeouts.test_WriteTimeout",
    "TestCancelRead.test_cancel_once",
    "TestCancelWrite.test_cancel_once",
    "Test4_Nonblocking.test2_Loopback",
    "Test4_Nonblocking.test2_LoopbackTimeout",
];

#[test]
fn pyserials_own_suite_passes_but_for_what_is_impossible() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/pyserial/test");
    assert!(folder.exists(), "{} is missing: tests/run prepares it", folder.display());
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart");
    let url = format!("rfc2217://{}", serial.address("telnet"));
    let mut suite = lab.tool("python3");
    suite.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1").args(["run_all_tests.py", &url]);
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
    let unexpected: Vec<_> =
        failed.iter().filter(|test| !IMPOSSIBLE.contains(&test.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} failed:\n{told}");
    let ran = told.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next());
    let ran: usize = ran.unwrap_or_else(|| panic!("nothing ran:\n{told}")).parse().unwrap();
    assert!(ran >= 60, "only {ran} tests ran:\n{told}");
}
