//! U-Boot's own tests, and openQA's generalhw backend, start our programs as their hooks.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{Bench, FIRST_BYTES, LIMIT, PRINTING, PROMPT};
use crate::common::{Process, http, needs, run, signal, wait_until};

impl Bench {
    /// A program that finds the hooks of this folder, and ours, in its PATH; and our lab.
    fn with_hooks(&self, program: impl AsRef<std::ffi::OsStr>, folder: &str) -> Command {
        let ours = Path::new(env!("CARGO_BIN_EXE_lava-console")).parent().unwrap();
        let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/hooks").join(folder);
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{path}", hooks.display(), ours.display());
        let mut command = self.lab.tool(program);
        command.env("PATH", path).env("LAVA_LAB", self.lab.path("lab.toml"));
        command
    }
}

#[test]
fn u_boots_own_tests_reset_the_board_and_pass_on_its_console() {
    let bench = Bench::start().with_power();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/uboot-tests");
    let mut pytest = bench.with_hooks(needs(&tests.join("python/bin/python3")), "u-boot");
    pytest.args(["-m", "pytest"]);
    for test in ["000_version", "help", "unknown_cmd", "hush_if_test", "env"] {
        pytest.arg(tests.join(format!("test/py/tests/test_{test}.py")));
    }
    // That one is of a script of U-Boot's build.
    pytest.args(["-k", "not test_env_text"]);
    pytest.args(["-q", "-p", "no:cacheprovider", "--bd=qemu_arm64", "--id=panda01"]);
    pytest.arg(format!("--build-dir={}", tests.join("build").display()));
    pytest.arg(format!("--result-dir={}", bench.lab.path("results").display()));
    pytest.arg(format!("--persistent-data-dir={}", bench.lab.path("persistent").display()));
    let output = run(&mut pytest, "", PRINTING);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let passed = said.lines().last().unwrap_or_default();
    let number: u32 = passed.split(" passed").next().unwrap().trim().parse().unwrap();
    assert!(number > 50, "{said}");
    // It is the board on our console that they were run on.
    let capture = String::from_utf8_lossy(&bench.capture()).into_owned();
    assert!(capture.contains(FIRST_BYTES) && capture.contains("=> version\r\n"), "{capture}");
}

#[test]
fn a_command_at_u_boot_gives_its_output_and_its_status() {
    let bench = Bench::start().with_power();
    let mut console = bench.lava_console();
    console.args(["--do", "on", "--expect", "Hit any key", "--send-line", "", "--expect", PROMPT]);
    console.args([
        "--exec",
        "setenv who board",
        "--exec",
        "echo hello ${who}",
        "--exec",
        "false",
        "--exec",
        "echo no",
    ]);
    let output = run(console.stderr(Stdio::piped()), "", PRINTING);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with("=> hello board\n"), "{said}");
    // Its prompt is there already.
    let output =
        run(bench.lava_console().args(["--exec", "printenv who", "--timeout", "30s"]), "", LIMIT);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "who=board\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn generalhws_commands_switch_the_board_and_fill_its_serial_file() {
    let bench = Bench::start().with_power();
    let serial = bench.lab.path("serial0");
    let file = || std::fs::File::options().append(true).create(true).open(&serial).unwrap();
    let mut console = bench.with_hooks("console", "openqa");
    console.arg("panda01").stdin(Stdio::null()).stdout(file()).stderr(file());
    let mut console = Process::spawn(&mut console);
    wait_until(LIMIT, "the console is attached", || {
        http(bench.http, "GET", "/consoles/panda01", "").text().contains("\"mode\":\"spy\"")
    });
    let power = |hook: &str| {
        let output = run(bench.with_hooks(hook, "openqa").arg("panda01"), "", LIMIT);
        assert!(output.status.success(), "{output:?}");
    };
    power("power-on");
    wait_until(PRINTING, "the board boots into the file", || {
        std::fs::read_to_string(&serial).unwrap().contains("Hit any key")
    });
    power("power-off");
    assert_eq!(bench.board.power("status"), "off");
    let printed = std::fs::read_to_string(&serial).unwrap();
    assert!(printed.starts_with(FIRST_BYTES), "what is in it is the board's: {printed}");
    signal(console.pid(), Signal::TERM);
    assert_eq!(console.wait(LIMIT).code(), Some(130));
}
