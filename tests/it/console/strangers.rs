//! Other projects' programs at a console by its board's name: `lava-console` is the command they start.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::Board;
use crate::common::{LIMIT, rig, run, wait_until};

/// Python programs take their time to start when both cores are busy.
const SLOW: Duration = Duration::from_secs(120);

/// A board that boots, asks who is there, and has a shell; it dies when its power goes.
const BOARD: &str = "#!/bin/sh\nstty sane; echo $$ >\"$0.pid\"\nprintf '\\r\\nU-Boot 2023.01\\r\\n\\r\\n'\n\
    while printf 'board login: '; do read -r user; [ \"$user\" = root ] && break; done\n\
    exec env PS1='board# ' sh -i\n";

/// The board, and an outlet that cuts its power.
fn board() -> Board {
    let board = Board::start_with(BOARD, |lab| {
        let pid = lab.path("board.sh.pid");
        format!(
            "[[pdu]]\nname = \"relay\"\ndriver = \"exec\"\non = [\"true\"]\n\
             off = [\"sh\", \"-c\", \"kill -9 $(cat {})\"]\n[[outlet]]\nname = \"panda01\"\n\
             pdu = \"relay\"\nport = 1\noff_time = \"0s\"\n",
            pid.display()
        )
    });
    wait_until(LIMIT, "the board has booted", || board.captured().ends_with(b"login: "));
    board
}

impl Board {
    /// A program that finds ours in its PATH.
    fn stranger(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let ours = Path::new(env!("CARGO_BIN_EXE_lava-console")).parent().unwrap();
        let mut command = self.lab.tool(program);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", ours.display()));
        command
    }

    fn python(&self) -> Command {
        let installed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/labgrid/bin/python3");
        assert!(installed.exists(), "{} is missing: tests/run prepares it", installed.display());
        self.stranger(installed)
    }

    /// Whether it was reset by that, once.
    #[track_caller]
    fn assert_reset(&self, output: &Output) {
        let said = said(output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("42 on the board"), "{said}");
        let captured = String::from_utf8(self.captured()).unwrap();
        assert_eq!(captured.matches("U-Boot 2023.01").count(), 2, "{captured}\n{said}");
    }
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

const LABGRID: &str = "
import sys
from labgrid import Environment
target = Environment(sys.argv[1]).get_target('main')
shell = target.get_driver('ShellDriver')
print(shell.run_check('echo before the reset'))
target.deactivate(shell)
target.get_driver('ExternalPowerDriver').cycle()
target.get_driver('ExternalConsoleDriver').expect('U-Boot 20..')
target.activate(shell)
print(shell.run_check('echo $((6*7)) on the board'))
";

#[test]
fn labgrids_external_console_driver_logs_in_and_its_power_driver_resets() {
    let board = board();
    let environment = board.lab.write(
        "env.yaml",
        "targets:\n  main:\n    drivers:\n      ExternalConsoleDriver:\n        cmd: lava-console panda01\n\
        \x20     ExternalPowerDriver:\n        cmd_on: lava power on panda01\n        cmd_off: lava power off panda01\n\
        \x20       cmd_cycle: lava power cycle panda01 --force --reason test\n      ShellDriver:\n        prompt: 'board# '\n\
        \x20       login_prompt: 'login: '\n        username: root\n",
    );
    let script = board.lab.write("client.py", LABGRID);
    let output = run(board.python().args([&script, &environment]), "", SLOW);
    board.assert_reset(&output);
    assert!(said(&output).contains("before the reset"), "{}", said(&output));
}

const PEXPECT: &str = "
import pexpect
console = pexpect.spawn('lava-console panda01', timeout=60, encoding='utf-8')
console.expect(r'Connected to panda01 \\[channel connected\\]')
console.send('~$hardreset\\r')
console.expect('initiated a hard reset')
console.expect('U-Boot 20')
console.expect('login: ')
console.sendline('root')
console.expect_exact('board# ')
console.sendline('echo $((6*7)) on the board')
console.expect('\\n(42 on the board)')
print(console.match.group(1))
console.send('~$quit\\r')
console.expect('Connection Closed')
console.expect(pexpect.EOF)
console.close()
assert console.exitstatus == 0, console.exitstatus
";

#[test]
fn pexpect_logs_in_runs_a_command_and_resets() {
    let board = board();
    let script = board.lab.write("client.py", PEXPECT);
    board.assert_reset(&run(board.python().arg(&script), "", SLOW));
}

const EXPECT: &str = "
set timeout 60
proc gone {} { send_user \"not in time\\n\"; exit 1 }
spawn lava-console panda01
expect timeout gone \"Connected to panda01\"
send \"~\\$hardreset\\r\"
expect timeout gone \"initiated a hard reset\"
expect timeout gone \"U-Boot 20\"
expect timeout gone \"login: \"
send \"root\\r\"
expect timeout gone \"board# \"
send \"echo \\$((6*7)) on the board\\r\"
expect timeout gone \"\\n42 on the board\"
send \"~\\$quit\\r\"
expect timeout gone eof
lassign [wait] pid spawn os status
exit $status
";

#[test]
fn expect_logs_in_runs_a_command_and_resets() {
    let board = board();
    let script = board.lab.write("client.exp", EXPECT);
    board.assert_reset(&run(board.stranger("expect").arg(&script), "", SLOW));
}

#[test]
fn a_connector_in_the_style_of_tbot_logs_in_runs_a_command_and_resets() {
    let board = board();
    let script = rig("tbot_style.py");
    let output = run(board.python().arg(&script).arg("panda01"), "", SLOW);
    board.assert_reset(&output);
}

#[test]
fn a_line_of_shell_does_the_same() {
    let board = board();
    let args = "--do hardreset --expect U-Boot --expect login:";
    let mut script = board.stranger("sh");
    let line = format!(
        "lava-console panda01 {args} --send-line root --expect 'board# ' >/dev/null && \
         test \"$(lava-console panda01 --exec 'echo $((6*7)) on the board')\" = '42 on the board' && \
         lava-console panda01 --exec 'echo $((6*7)) on the board; (exit 5)'; test $? = 5"
    );
    board.assert_reset(&run(script.args(["-c", &line]), "", SLOW));
}
