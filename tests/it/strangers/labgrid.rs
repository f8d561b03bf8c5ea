//! labgrid at our ports, as with any network port: its NetworkSerialPort, raw and with RFC 2217.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::common::{Client, LIMIT, Process, TestLab, run, wait_until};

/// Python programs that import gRPC take their time to start when both cores are busy.
const SLOW: Duration = Duration::from_secs(120);

/// A board that wants a login and then is a shell, a real one.
const BOARD: &str = "#!/bin/sh\nwhile :; do printf 'panda01 login: '; read -r user || exit\n\
    [ \"$user\" = root ] && break; done\nprintf 'Password: '; stty -echo; read -r word; stty echo\n\
    echo; PS1='root@panda01:~# ' exec sh -i\n";

/// Logs in as labgrid's users do, and prints what commands printed.
const USER: &str = "
import sys
from labgrid import Environment
target = Environment(sys.argv[1]).get_target('main')
shell = target.get_driver('ShellDriver')
print(shell.run_check('echo $((6*7)) on the board'))
print(len(''.join(shell.run_check('seq 2000', timeout=120))))
print(shell.run('false'))
";

#[test]
fn labgrid_logs_in_and_runs_commands_over_raw_and_rfc2217() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/labgrid/bin/python3");
    assert!(python.exists(), "{} is missing: tests/run prepares it", python.display());
    let lab = TestLab::new();
    let board = lab.write("board.sh", BOARD);
    std::fs::set_permissions(&board, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = lab.write("user.py", USER);
    for protocol in ["raw", "rfc2217"] {
        let device = lab.path(&format!("tty-{protocol}"));
        let mut socat = lab.tool("socat");
        socat.arg(format!("PTY,rawer,link={}", device.display()));
        socat.arg(format!("EXEC:{board},pty,setsid,ctty,stderr"));
        let _board = Process::spawn(&mut socat);
        wait_until(LIMIT, "the board has its line", || device.exists());
        let (port, any) = (format!("tty:{},115200n8", device.display()), "127.0.0.1:0");
        let capture = lab.path(protocol).display().to_string();
        let serial = lab.start(
            "lava-serial",
            [
                "--name",
                "panda01",
                "--port",
                &port,
                "--raw",
                any,
                "--telnet",
                any,
                "--capture",
                &capture,
            ],
        );
        let mut alice = Client::raw(serial.address("raw"));
        let address = serial.address(if protocol == "raw" { "raw" } else { "telnet" });
        let environment = lab.write(
            "env.yaml",
            &format!(
                "targets:\n  main:\n    resources:\n      NetworkSerialPort:\n        host: {}\n\
                \x20       port: {}\n        protocol: {protocol}\n        speed: 115200\n    drivers:\n\
                \x20     SerialDriver: {{}}\n      ShellDriver:\n        prompt: 'root@panda01:~# '\n\
                \x20       login_prompt: 'panda01 login: '\n        username: root\n\
                \x20       password: secret\n",
                address.ip(),
                address.port()
            ),
        );
        let mut user = lab.tool(&python);
        let output = run(user.args([&script, &environment]), "", SLOW);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{protocol}: {said}{told}");
        assert_eq!(said, "['42 on the board']\n6893\n([], [], 1)\n", "{protocol}: {told}");
        // Somebody who watches sees all of it.
        alice.expect("42 on the board");
    }
}
