//! People and scripts at a console by its board's name: `lava-console` and `lava`.

mod control;
mod hostile;
mod leaving;
mod script;
mod since;
mod strangers;
mod trouble;

use std::process::{Command, Stdio};

use crate::common::{Client, Daemon, Heard, LIMIT, Process, Terminal, TestLab, run, wait_until};

/// Greets, then answers each line with `echo:LINE` and a prompt.
const ECHO: &str = "#!/bin/sh\nprintf 'board ready\\r\\n=> '\n\
    while IFS= read -r line; do printf 'echo:%s\\r\\n=> ' \"$line\"; done\n";

/// Prints numbered lines for ever, some hundred in a second.
const FLOOD: &str = "#!/bin/sh\nn=0\nwhile :; do seq $n $((n + 99)); n=$((n + 100)); \
    sleep 0.02; done\n";

/// A board with this program behind its console, and an outlet in memory.
struct Board {
    lab: TestLab,
    config: String,
    serial: Daemon,
    power: Daemon,
}

impl Board {
    #[track_caller]
    fn start(program: &str) -> Self {
        Self::start_with(program, |_| {
            "[[pdu]]\nname = \"virtual\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"panda01\"\npdu = \"virtual\"\nport = 1\noff_time = \"100ms\"\n"
                .into()
        })
    }

    /// With another power unit; it is told once there is a lab.
    #[track_caller]
    fn start_with(program: &str, power: impl FnOnce(&TestLab) -> String) -> Self {
        let lab = TestLab::new();
        let board = lab.write("board.sh", program);
        let capture = lab.path("capture");
        let config = lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
                 [[console]]\nname = \"panda01\"\nport = \"exec:/bin/sh {board}\"\n",
                capture.display()
            ),
        );
        let serial = lab.start("lava-serial", ["--config", &config]);
        let power = lab.write("power.toml", &power(&lab));
        let power = lab.start("lava-power", ["--config", &power]);
        Self { lab, config, serial, power }
    }

    fn console(&self, user: &str, args: &[&str]) -> Command {
        let mut console = self.lab.program("lava-console");
        console.args(args).arg("panda01").env("LAVA_USER", user);
        console
    }

    /// Somebody at a terminal, attached.
    #[track_caller]
    fn person(&self, user: &str, args: &[&str]) -> Client {
        let mut person = Client::in_terminal(&mut self.console(user, args));
        person.expect("Connected to panda01 [channel connected] (~$quit to exit)\r\n");
        person
    }

    /// A script's turn: its exit code, standard output and standard error.
    #[track_caller]
    fn script(&self, args: &[&str], input: &str) -> (i32, String, String) {
        let output = run(&mut self.console("robot", args), input, LIMIT);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn restart_serial(&mut self) {
        self.serial.kill();
        self.serial = self.lab.start("lava-serial", ["--config", &self.config]);
    }

    /// Everything that is captured.
    #[track_caller]
    fn captured(&self) -> Vec<u8> {
        let output = self.lab.run("lava", ["log", "panda01"], "");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    #[track_caller]
    fn wait_for_ready_board(&self) {
        wait_until(LIMIT, "the board prints", || self.captured().ends_with(b"=> "));
    }
}

#[test]
fn a_person_sees_the_screen_types_and_leaves_the_terminal_as_it_was() {
    let board = Board::start(ECHO);
    board.wait_for_ready_board();
    let mut alice = Client::in_terminal(&mut board.console("alice", &[]));
    let before = Terminal::new().settings();
    alice.expect("Connected to panda01 [channel connected] (~$quit to exit)");
    alice.expect("board ready\r\n=> ");
    assert_ne!(alice.terminal().settings(), before);
    alice.terminal().resize(50, 132);
    alice.type_text("hello\n");
    alice.expect("echo:hello\r\n=> ");
    alice.type_text("~$nosuch\r");
    alice.expect("\r\nCommand(panda01)> nosuch\r\nCommand not recognised\r\n~$help lists");
    alice.type_text("~$hel  lx\x7fp\r");
    alice.expect("Command(panda01)> hel  lx\x08 \x08p\r\nCommand not recognised\r\n");
    alice.expect("did you mean ~$help? ~$help lists the commands\r\n");
    alice.type_text("a~");
    alice.type_text("~b~c\n");
    alice.expect("echo:a~~b~c\r\n");
    alice.type_text("~$log 2 lines\r");
    alice.expect("log 2 lines\r\n--- the last 2 lines of the log ---\r\n");
    alice.expect("echo:a~~b~c\r\n=> ");
    alice.expect("\r\n--- end of the log ---\r\n");
    alice.type_text("~$log 0\r");
    alice.expect("log 0\r\nlog: 0 lines are none; ask for one or more\r\n");
    alice.type_text("~$quit\r");
    alice.expect("Connection Closed (client)\r\n");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    alice.terminal().resize(24, 80);
    assert_eq!(alice.terminal().settings(), before);
}

#[test]
fn people_on_one_console_see_each_other() {
    let board = Board::start(ECHO);
    let mut alice = board.person("alice", &[]);
    let mut bob = board.person("bob", &[]);
    bob.expect("(user:alice) is already connected\r\n");
    alice.expect("(user:bob) connected\r\n");
    bob.type_text("~$msg hi all\r");
    alice.expect("(user:bob) hi all\r\n");
    bob.expect("(user:bob) hi all\r\n");
    bob.type_text("~$who\r");
    bob.expect("(user:alice) rw by websocket");
    bob.expect("(user:bob) rw by websocket");
    bob.type_text("~$quit\r");
    alice.expect("(user:bob) disconnected\r\n");
}

#[test]
fn a_hard_reset_is_reported_and_seen_by_everyone() {
    let board = Board::start(ECHO);
    let mut alice = board.person("alice", &[]);
    let mut bob = board.person("bob", &["--spy"]);
    alice.expect("(user:bob) connected [spy]");
    // In one piece, as it is pasted.
    alice.type_text("~$hardreset it hangs\r~$quit\r");
    alice.expect("(user:alice) initiated a hard reset\r\n");
    alice.expect("[panda01 was off, and now is on (read back from the PDU, ");
    alice.expect("Connection Closed (client)\r\n");
    bob.expect("(user:alice) initiated a hard reset\r\n");
    bob.expect("[hard reset done: ");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn the_lock_is_told_about_and_can_be_forced() {
    let board = Board::start(ECHO);
    let mut job = board.person("job:42", &["--exclusive"]);
    let mut alice = board.person("alice", &[]);
    alice.expect("[read-only: job:42 has the console since ");
    alice.expect("; ~$force takes it]\r\n");
    alice.type_text("lost\n");
    alice.expect("[read-only: job:42");
    alice.type_text("~$force\rtaken\n");
    alice.expect("[you have the console");
    alice.expect("echo:taken\r\n");
    job.expect("(user:alice) took the console from job:42");
    job.expect("[read-only: user:alice has the console");
    alice.type_text("~$release\r");
    job.expect("[you have the console");
    assert!(!alice.heard().text().contains("echo:lost"));
}

#[test]
fn a_script_gets_the_answer_and_the_exit_code() {
    let mut board = Board::start(ECHO);
    board.wait_for_ready_board();
    let (code, stdout, stderr) = board.script(&[], "version\n");
    assert_eq!((code, stdout.as_str()), (0, "echo:version\r\n=> "), "{stderr}");
    assert!(stderr.starts_with("Connected to panda01 [channel connected]"), "{stderr}");

    // Input ends at once, with and without a newline; the command is carried out all the same.
    for input in ["~$hardreset\n", "~$hardreset"] {
        let (code, stdout, stderr) = board.script(&[], input);
        assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
        assert!(stderr.contains("(user:robot) initiated a hard reset\n"), "{stderr}");
        assert!(stderr.contains("[panda01 was off, and now is on"), "{stderr}");
    }
    for (args, input, expected, message) in [
        (&[][..], "~$break\n", 1, "carries no break"),
        (&[], "~$nosuch\n~$status\n", 2, "Command not recognised"),
        (&["--spy"], "x\n", 4, "[read-only: attached as a spy"),
        (&["--lab", "none.toml"], "", 2, "none.toml: cannot be read"),
        (&["--server", "h:1"], "", 2, "\"h:1\" is no daemon's address"),
    ] {
        let (code, _, stderr) = board.script(args, input);
        assert_eq!(code, expected, "{input} {stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    board.power.terminate();
    let (code, _, stderr) = board.script(&[], "~$hardreset\n");
    assert_eq!(code, 2, "no daemon has the outlet any more: {stderr}");
    assert!(stderr.contains("board panda01 has no outlet"), "{stderr}");
}

#[test]
fn a_board_is_found_by_an_inventory_and_a_wrong_name_gets_a_hint() {
    let board = Board::start(ECHO);
    let http = board.serial.address("http");
    let file = format!(
        "[[board]]\nname = \"desk\"\nconsole = \"http://{http}/consoles/panda01\"\n\
         [[board]]\nname = \"gone\"\nconsole = \"http://127.0.0.1:1/consoles/gone\"\n"
    );
    let file = board.lab.write("home/.config/lava/lab.toml", &file);
    let asked = |name: &str| {
        let output = board.lab.run("lava-console", [name], "~$who\n");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = asked("desk");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.starts_with("Connected to desk "), "{stderr}");
    let (code, stderr) = asked("deks");
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        format!(
            "there is no board \"deks\" in {file}; did you mean \"desk\"?\n  \
             hint: boards there: desk, gone\n"
        )
    );
    let (code, stderr) = asked("gone");
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.starts_with("cannot connect to http://127.0.0.1:1"), "{stderr}");

    let listed = board.lab.run("lava", ["boards"], "");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("desk").ends_with(" open"), "{listed}");
    assert!(line("gone").contains("unreachable: cannot connect"), "{listed}");
}

#[test]
fn a_daemon_that_hangs_hides_only_its_own_boards() {
    let board = Board::start(ECHO);
    let socket = board.lab.path("run/serial-1.sock");
    let _silent = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let (code, _, stderr) = board.script(&[], "~$who\n");
    assert_eq!(code, 0, "{stderr}");
    let output = board.lab.run("lava-console", ["panda02"], "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("serial-1.sock"), "{stderr}");
    assert!(stderr.contains("did not answer within 2 s"), "{stderr}");
}

#[test]
fn lava_power_and_lava_log_work_by_board_name() {
    let board = Board::start(ECHO);
    board.wait_for_ready_board();
    let lava = |args: &[&str]| {
        let output = board.lab.run("lava", args, "");
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(lava(&["power", "on", "panda01"]).1.starts_with("panda01 is on (read back"));
    let (code, report) = lava(&["power", "off", "--json", "panda01", "panda99"]);
    assert_eq!(code, 2);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["state"], &report["verified"]), (&"off".into(), &"verified".into()));
    assert_eq!(lava(&["log", "panda01", "--last", "1"]), (0, "=> ".into()));
    assert_eq!(lava(&["log", "panda01", "--last", "0"]), (0, String::new()));
    board.script(&[], "~$msg noted\n");
    let (code, events) = lava(&["log", "panda01", "--events"]);
    assert_eq!(code, 0);
    assert!(events.contains("robot  message text=\"noted\"\n"), "{events}");
}

#[test]
fn a_daemon_killed_while_the_board_prints_costs_no_byte_and_doubles_none() {
    let mut board = Board::start(FLOOD);
    let mut command = board.console("alice", &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut console = Process::spawn(&mut command);
    let stdin = console.child().stdin.take().unwrap();
    let stdout = Heard::from(console.child().stdout.take().unwrap());
    let stderr = Heard::from(console.child().stderr.take().unwrap());
    for restarts in 1..=3 {
        let more = stdout.len() + 20_000;
        wait_until(LIMIT, "the board is heard", || stdout.len() > more);
        board.restart_serial();
        wait_until(LIMIT, "the console is back", || {
            stderr.text().matches("[back]\n").count() == restarts
        });
    }
    let more = stdout.len() + 20_000;
    wait_until(LIMIT, "the board is heard after the restarts", || stdout.len() > more);
    drop(stdin);
    assert_eq!(console.wait(LIMIT).code(), Some(0));
    wait_until(LIMIT, "all output is read", || stdout.ended());

    let heard = stdout.bytes();
    let captured = board.captured();
    // The client came while the board was already printing: its bytes are one piece of the whole.
    let begin = captured.windows(200).position(|window| window == &heard[..200]).unwrap();
    let whole = &captured[begin..];
    assert!(whole.len() >= heard.len() && whole[..heard.len()] == heard[..]);
    assert_eq!(stderr.text().matches("[lost: ").count(), 3, "{}", stderr.text());
}

#[test]
fn a_person_is_told_when_the_daemon_goes_and_comes() {
    let mut board = Board::start(ECHO);
    let mut alice = board.person("alice", &[]);
    board.serial.kill();
    alice.expect("[lost: ");
    alice.expect("; reconnecting]\r\n");
    alice.type_text("x");
    alice.expect("[not connected: what is typed is dropped]\r\n");
    board.restart_serial();
    alice.expect("[back]\r\n");
    alice.expect("board ready");
    alice.type_text("again\n");
    alice.expect("echo:again\r\n");
}
