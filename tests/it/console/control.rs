//! The escapes beside typing: line, modem lines, breaks, sending, modes, other keymaps.

use std::io::Write as _;
use std::process::Stdio;

use rustix::process::Signal;

use crate::common::{
    Client, Daemon, Heard, LIMIT, Process, TestLab, WebSocket, http, signal, wait_until,
};

/// A board that is a plug: everything comes back.
struct Looped {
    lab: TestLab,
    serial: Daemon,
}

impl Looped {
    fn start(keys: &str) -> Self {
        let lab = TestLab::new();
        let capture = lab.path("capture");
        let config = lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n[[console]]\n\
                 name = \"panda01\"\nport = \"sim:uart\"\n{keys}\n"
            ),
        );
        let serial = lab.start("lava-serial", ["--config", &config]);
        Self { lab, serial }
    }

    fn person(&self, user: &str, args: &[&str]) -> Client {
        let mut console = self.lab.program("lava-console");
        console.args(args).arg("panda01").env("LAVA_USER", user);
        let mut person = Client::in_terminal(&mut console);
        person.expect("Connected to panda01 [channel connected]");
        person
    }

    fn attach(&self, query: &str) -> WebSocket {
        let client = WebSocket::attach(self.serial.address("http"), "panda01", query);
        client.expect_message("the hello", |m| m["type"] == "hello");
        client
    }

    fn events(&self) -> String {
        http(self.serial.address("http"), "GET", "/consoles/panda01/events", "").text()
    }
}

#[test]
fn the_line_is_set_and_breaks_are_sent_by_escapes() {
    let board = Looped::start("break = { sysrq-b = '\\z(10)b', '1' = '\\z(5)' }");
    let mut alice = board.person("alice", &[]);
    alice.type_text("~$line\r");
    alice.expect("[115200n8, DTR on, RTS on; CTS on, DSR on, RI off, CD on; overruns 0");
    alice.type_text("~$line 9600e7 rtscts\r");
    alice.expect("(user:alice) set the line to 9600e7 rtscts\r\n");
    alice.expect("[9600e7 rtscts, DTR on, RTS on");
    alice.type_text("~$rts off\r");
    alice.expect("(user:alice) set DTR on and RTS off\r\n");
    alice.expect("CTS off");
    alice.type_text("~$dtr off 20\r");
    alice.expect("(user:alice) set DTR off and RTS off\r\n");
    alice.expect("(user:alice) set DTR on and RTS off\r\n");
    // What is sent waits for CTS, which the plug takes from RTS.
    alice.type_text("~$rts on\r");
    alice.expect("CTS on");
    alice.type_text("~$line fast\r");
    alice.expect("line: line setting \"fast\" is not understood");
    alice.type_text("~$breaks\r");
    alice.expect("1                    \\z(5)\r\nsysrq-b              \\z(10)b\r\n");
    alice.type_text("~$break sysrq-b\r");
    alice.expect("(user:alice) sends the break sequence sysrq-b\r\n");
    alice.expect("(user:alice) sent a break of 10 ms\r\n");
    alice.expect("b");
    alice.type_text("~$break =1\r");
    alice.expect("sent a break of 5 ms\r\n");
    alice.type_text("~$break nosuch\r");
    alice.expect("[there is no break sequence nosuch; there are 1, sysrq-b]\r\n");
    alice.type_text("~$info\r");
    alice.expect("port sim:uart, open\r\nline 9600e7 rtscts");
    alice.expect("(user:alice) rw\r\n");
}

#[test]
fn modes_notes_and_sessions_are_in_ones_hand() {
    let board = Looped::start("");
    let mut alice = board.person("alice", &[]);
    let mut bob = board.person("bob", &[]);
    alice.type_text("~$spy\r");
    alice.expect("[read-only: attached as a spy; ~$rw lets you type]\r\n");
    bob.expect("(user:alice) only looks from now on\r\n");
    alice.type_text("QQ~$rw\ry");
    alice.expect("[you may type]\r\n");
    alice.expect("y");
    alice.type_text("~$exclusive\r");
    alice.expect("[you have the console; ~$release gives it back]\r\n");
    bob.expect("[read-only: user:alice has the console since ");
    alice.type_text("~$note the fan is loud\r~$kick bob\r");
    bob.expect("[alice let you go]\r\n");
    assert_eq!(bob.process().wait(LIMIT).code(), Some(0));
    alice.expect("(user:alice) let user:bob go\r\n");
    alice.type_text("~$kick nobody\r");
    alice.expect("\"nobody\" is not on this console");
    wait_until(LIMIT, "the note is in the record", || {
        board.events().contains("\"kind\":\"note\",\"text\":\"the fan is loud\"")
    });
    assert!(!alice.heard().text().contains(") the fan"), "a note is shown to nobody");
    assert!(!alice.heard().text().contains("QQ"), "{}", alice.heard().text());
}

#[test]
fn a_file_is_sent_and_ctrl_c_ends_it_with_what_was_sent() {
    let board = Looped::start("");
    let script = board.lab.write("boot.scr", "setenv a b\nboot\n");
    let big = board.lab.write("big file", &"x".repeat(5000));
    let watcher = board.attach("user=watcher&mode=spy");
    let mut alice = board.person("alice", &[]);
    alice.type_text(&format!("~$send {script} 1ms 5ms\r"));
    alice.expect("[sending boot.scr; Ctrl-C ends it]\r\n");
    alice.expect("(user:alice) sends boot.scr, 16 bytes\r\n");
    alice.expect("[boot.scr: 16 bytes are sent]\r\n");
    watcher.heard().find(LIMIT, 0, b"setenv a b\nboot\n").unwrap();

    alice.type_text(&format!("~$send '{big}' 50ms\r"));
    alice.expect("[sending big file; Ctrl-C ends it]");
    watcher.heard().find(LIMIT, 0, b"xxx").unwrap();
    // What is typed meanwhile waits.
    alice.type_text("later");
    alice.type_text("\x03");
    alice.expect("[big file: only ");
    alice.expect(" bytes were sent: cancelled]\r\n");
    watcher.heard().find(LIMIT, 0, b"later").unwrap();
    let heard = alice.heard().text();
    let told = heard.rsplit_once("[big file: only ").unwrap().1;
    let told: usize = told.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(watcher.heard().text().matches('x').count(), told);
    alice.type_text("~$send /nowhere\r");
    alice.expect("send: /nowhere: No such file");
}

#[test]
fn a_script_sends_files_through_restarts_each_byte_once() {
    let board = Looped::start("pace = \"1ms\"");
    let text: String = (0..800).map(|n| format!("{n}\n")).collect();
    let file = board.lab.write("numbers", &text);
    let watcher = board.attach("user=watcher&mode=spy");
    let mut console = board.lab.program("lava-console");
    console.arg("panda01");
    let script = std::thread::spawn(move || {
        crate::common::run(&mut console, &format!("~$send {file}\n"), LIMIT)
    });
    for mark in ["\n100\n", "\n300\n", "\n500\n"] {
        watcher.heard().find(LIMIT, 0, mark.as_bytes()).unwrap();
        signal(board.serial.pid(), Signal::USR2);
    }
    let output = script.join().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains(&format!("[numbers: {} bytes are sent]\n", text.len())), "{stderr}");
    wait_until(LIMIT, "all of it has come back", || watcher.heard().len() >= text.len());
    assert_eq!(watcher.heard().text(), text);
}

#[test]
fn other_keys_begin_an_escape_by_option_variable_and_file() {
    let board = Looped::start("");
    let console = |args: &[&str], variables: &[(&str, &str)]| {
        let mut console = board.lab.program("lava-console");
        console.args(args).arg("panda01").envs(variables.iter().copied());
        console
    };
    let mut alice = Client::in_terminal(&mut console(&["--escape", "^A"], &[]));
    alice.expect("Connected to panda01 [channel connected] (^Aquit to exit)\r\n");
    alice.type_text("~$quit");
    alice.expect("~$quit");
    alice.type_text("\x01nosuch\r");
    alice.expect("Command(panda01)> nosuch\r\nCommand not recognised\r\n^Ahelp lists");
    alice.type_text("\x01quit\r");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));

    let mut none = Client::in_terminal(&mut console(&[], &[("LAVA_ESCAPE", "none")]));
    none.expect("Connected to panda01 [channel connected]\r\n");
    none.type_text("~$quit\rx");
    none.expect("~$quit\rx");

    board.lab.write("home/.config/lava/console.toml", "keymap = \"conman\"\n");
    let mut carol = Client::in_terminal(&mut console(&[], &[]));
    carol.expect("[Enter `&?' for help]");
    carol.type_text("a&&b");
    carol.expect("a&b");
    carol.type_text("&.");
    assert_eq!(carol.process().wait(LIMIT).code(), Some(0));

    for (args, variables, message) in [
        (&["--escape", "\r"][..], &[][..], "every Enter"),
        (&["--keymap", "vi"], &[], "none of lava, conserver and conman"),
        (&[], &[("LAVA_KEYMAP", "vi")], "$LAVA_KEYMAP: keymap \"vi\" is none of"),
    ] {
        let output = crate::common::run(&mut console(args, variables), "", LIMIT);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    board.lab.write("home/.config/lava/console.toml", "keymap = \"vi\"\nescap = \"^A\"\n");
    let output = crate::common::run(&mut console(&[], &[]), "", LIMIT);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("console.toml:1:10: keymap: keymap \"vi\" is none of"), "{stderr}");
    assert!(stderr.contains("console.toml:2:1: unknown key \"escap\""), "{stderr}");
}

#[test]
fn conservers_letters_work_with_conservers_words() {
    let board = Looped::start("break = { default = '\\z(5)', '1' = '\\z(7)' }");
    let mut alice = board.person("alice", &["--keymap", "conserver"]);
    alice.expect("[Enter `^Ec?' for help]\r\n");
    let mut bob = board.person("bob", &["--keymap", "conserver"]);
    let letter = |client: &mut Client, keys: &str| client.type_text(&format!("\x05c{keys}"));
    letter(&mut alice, "s");
    alice.expect("[spying]\r\n");
    letter(&mut alice, "a");
    alice.expect("[attached]\r\n");
    letter(&mut bob, "f");
    bob.expect("[attached]\r\n");
    alice.expect("[forced to `spy' mode by bob]\r\n");
    letter(&mut alice, "a");
    alice.expect("[no, bob is attached]\r\n");
    letter(&mut alice, "f");
    alice.expect("[bumped bob]\r\n");
    letter(&mut alice, "l0");
    alice.expect("[halt sent]\r\n");
    letter(&mut alice, "l1");
    alice.expect("[halt sent]\r\n");
    letter(&mut alice, "l?");
    alice.expect("1                    \\z(7)\r\ndefault              \\z(5)\r\n");
    letter(&mut alice, "bto all\r");
    alice.expect("[Enter message: to all]\r\n");
    bob.expect("(user:alice) to all\r\n");
    letter(&mut alice, "n");
    alice.type_text("my note\r");
    alice.expect("[Enter note: my note]\r\n");
    letter(&mut alice, "\\101");
    alice.expect("A");
    letter(&mut alice, "x");
    alice.expect("[115200n8, DTR on");
    letter(&mut alice, "w");
    alice.expect("(user:alice) exclusive by websocket");
    letter(&mut alice, "v");
    alice.expect("[version `lavamux ");
    letter(&mut alice, "o");
    wait_until(LIMIT, "it was open, and is opened again", || {
        let events = board.events();
        events.contains("port-down") && events.contains("port-up")
    });
    letter(&mut alice, "r");
    alice.expect("[replay]\r\n");
    letter(&mut alice, "Q");
    alice.expect("[unknown -- use `?']\r\n");
    letter(&mut alice, "?");
    alice.expect("[help]\r\n .          disconnect\r\n");
    letter(&mut alice, ":log 1\r");
    alice.expect("[Enter command: log 1]\r\n[^R]\r\n");
    letter(&mut alice, "ex\x1d");
    alice.expect("[redef: x^] ok]\r\n");
    alice.type_text("x\x1d.");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    wait_until(LIMIT, "the note is in the record", || board.events().contains("my note"));
}

#[test]
fn a_session_is_suspended_and_goes_on() {
    let board = Looped::start("");
    let console = board.lab.program("lava-console");
    let mut shell = board.lab.tool("bash");
    // Only a shell's job can be stopped: it takes one to go on.
    let mut alice = Client::in_terminal(shell.args(["--norc", "--noprofile", "-i"]));
    let words = std::iter::once(console.get_program()).chain(console.get_args());
    let words: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    alice.type_text(&format!("PS1='$ '; {} panda01\r", words.join(" ")));
    alice.expect("Connected to panda01");
    let raw = alice.terminal().settings();
    alice.type_text("hello~$suspend\r");
    alice.expect("Stopped");
    assert_ne!(alice.terminal().settings(), raw);
    alice.type_text("fg\r");
    wait_until(LIMIT, "the terminal is raw again", || alice.terminal().settings() == raw);
    alice.type_text("again");
    alice.expect("again");
    alice.type_text("~$quit\r");
    alice.expect("Connection Closed (client)");
    alice.type_text("exit\r");
    alice.process().wait(LIMIT);
}

#[test]
fn what_is_piped_to_a_board_is_typed_as_it_comes() {
    let board = Looped::start("");
    let mut lava = board.lab.program("lava");
    lava.args(["send", "panda01", "--file", "-", "--json"]).env("LAVA_USER", "alice");
    lava.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut lava = Process::spawn(&mut lava);
    let mut input = lava.child().stdin.take().unwrap();
    let told = Heard::from(lava.child().stdout.take().unwrap());
    let printed = || {
        let log = board.lab.run("lava", ["log", "panda01"], "");
        String::from_utf8(log.stdout).unwrap()
    };
    for text in ["first\n", "second\n"] {
        input.write_all(text.as_bytes()).unwrap();
        wait_until(LIMIT, "it is typed", || printed().ends_with(text));
    }
    drop(input);
    assert_eq!(lava.wait(LIMIT).code(), Some(0));
    wait_until(LIMIT, "all is read", || told.ended());
    assert_eq!(told.text(), "{\"board\":\"panda01\",\"bytes\":13}\n");
}
