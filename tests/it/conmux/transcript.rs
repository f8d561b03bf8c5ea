//! Byte for byte what conmux says, as its clients and bots rely on it.

use serde_json::json;

use super::{Conmux, Wire};
use crate::common::{LIMIT, WebSocket, http, wait_until};

const CONNECTED: &str = "state=connected status=OK title=panda01%20%5Bchannel%20connected%5D";

#[test]
fn a_session_of_two_users() {
    let mut conmux = Conmux::start();
    let address = conmux.serial.address("panda01.conmux");
    let (mut alice, mut bob) = (Wire::new(address), Wire::new(address));
    alice.types("CONNECT id=user%3Aalice to=console\n");
    alice.hears(&format!("{CONNECTED}\n"));
    bob.types("CONNECT id=user:bob to=console\n");
    bob.hears(&format!("motd=%28user%3Aalice%29%20is%20already%20connected%0A {CONNECTED}\n"));
    alice.hears("(user:bob) connected\n");

    alice.types("~$nosuch\n");
    alice.hears("\r\nCommand(panda01)> nosuch\nCommand not recognised\n");
    alice.types("~$msg hi all\n");
    alice.hears("\r\nCommand(panda01)> msg hi all\n(user:alice) hi all\n");
    bob.hears("(user:alice) hi all\n");

    alice.types("~$hardreset -x\n");
    alice.hears("\r\nCommand(panda01)> hardreset -x\n(user:alice) initiated a hard reset\n");
    bob.hears("(user:alice) initiated a hard reset\n");
    // What conmux's command would print goes to everybody.
    let done = "[hard reset done: panda01 was off, and now is on (read back from the PDU, 1 s)]";
    alice.hears_timed(done);
    bob.hears_timed(done);

    alice.types("~$close\n");
    let closed = "<<<PAYLOAD CLOSED>>>\n(user:alice) triggered a console close\n";
    alice.hears(&format!("\r\nCommand(panda01)> close\n{closed}"));
    bob.hears(closed);
    alice.types("x");
    alice.hears("<<<NOT CONNECTED>>>\n");
    alice.types("~$close\n");
    alice.hears("\r\nCommand(panda01)> close\nconsole already closed\n");
    assert_eq!(conmux.typed(0), "");

    // Editing echoes.
    alice.types("~$hel  lx\x7fp\r");
    alice.hears("\r\nCommand(panda01)> hel  lx\x08 \x08p\nCommand not recognised\n");
    alice.types("~$quit\n");
    alice.hears("\r\nCommand(panda01)> quit\n");
    alice.is_let_go();
    bob.hears("(user:alice) disconnected\n");
}

#[test]
fn bytes_pass_as_they_are_and_a_tilde_waits_for_the_next_key() {
    let mut conmux = Conmux::start();
    let (mut alice, mut bob) = (conmux.user("user:alice"), conmux.user("user:bob"));
    alice.hears("(user:bob) connected\n");
    alice.types("ls\r\n\0a~");
    assert_eq!(conmux.typed(6), "ls\r\n\0a");
    alice.types("~");
    assert_eq!(conmux.typed(1), "~");
    alice.types("b");
    assert_eq!(conmux.typed(2), "~b");
    // One that stays alone is typed after a while.
    alice.types("c~");
    assert_eq!(conmux.typed(2), "c~");
    conmux.prints("\x1b[31mred\u{0}\r\n");
    for user in [&mut alice, &mut bob] {
        user.hears("\x1b[31mred\0\r\n");
    }
    // Not even the end of a command reaches the board.
    alice.types("~$msg one\r\n~$msg two\n\0done");
    assert_eq!(conmux.typed(4), "done");
    bob.hears("(user:alice) one\n(user:alice) two\n");
}

#[test]
fn what_is_no_good_connect_is_answered_with_what_is_wrong() {
    let conmux = Conmux::start();
    let mut wire = Wire::new(conmux.serial.address("panda01.conmux"));
    for (asked, answer) in [
        ("CONNECT to=console", "EACCES%20identifier%20required"),
        ("\n", "EACCES%20identifier%20required"),
        ("CONNECT id=x", "EINVAL%20CONNECT%20%20requires%20%27to%27%20specifier"),
        ("CONNECT id=x to=y", "EINVAL%20%27y%27%20not%20a%20%20valid%20destination%20specifier"),
        (
            "CONNECT id=x to=console type=y",
            "EINVAL%20%27y%27%20not%20a%20valid%20destination%20type",
        ),
        ("HELLO id=x", "ENOSYS%20unknown%20command"),
    ] {
        wire.types(&format!("{asked}\n").replace("\n\n", "\n"));
        wire.hears(&format!("status={answer}\n"));
    }
    wire.types("CONNECT id=x to=console\n");
    wire.hears(&format!("{CONNECTED}\n"));
    let mut endless = Wire::new(conmux.serial.address("panda01.conmux"));
    endless.types(&"x".repeat(4096));
    endless.types("x");
    endless.is_let_go();
}

#[test]
fn the_port_comes_back_when_it_is_opened_or_its_board_is_there_again() {
    let mut conmux = Conmux::start();
    let (mut alice, mut bob) = (conmux.user("user:alice"), conmux.user("user:bob"));
    alice.hears("(user:bob) connected\n");
    bob.types("~$close\n");
    alice.hears("<<<PAYLOAD CLOSED>>>\n(user:bob) triggered a console close\n");
    assert_eq!(conmux.status()["state"], "closed");
    conmux.line = None;
    std::fs::remove_file(conmux.lab.path("board")).unwrap();
    let board = std::os::unix::net::UnixListener::bind(conmux.lab.path("board")).unwrap();
    // A newcomer is told how it is.
    let mut carol = Wire::new(conmux.serial.address("panda01.conmux"));
    carol.types("CONNECT id=user:carol to=console\n");
    assert!(carol.line().contains("state=disconnected status=OK"));
    alice.hears("(user:carol) connected\n");
    alice.types("~$open\n");
    let opened = "(user:alice) triggered a console open\n<<<PAYLOAD RESTART>>>\n";
    alice.hears(&format!("\r\nCommand(panda01)> open\n{opened}"));
    let (line, _) = board.accept().unwrap();
    drop(line);
    drop(board);
    alice.hears("<<<PAYLOAD LOST ... retrying in 1 secs>>>\n[panda01: the port is gone: ");
    assert_eq!(alice.line(), "the other side closed it; retrying]");
}

#[test]
fn a_bot_closes_its_side_at_once_and_its_command_is_still_carried_out() {
    let conmux = Conmux::start();
    let mut watching = conmux.user("user:alice");
    let mut bot = Wire::new(conmux.serial.address("panda01.conmux"));
    // All of it in one go, as a shell pipe does.
    bot.types("CONNECT id=bot%3Aecho to=console\n~$hardreset\n");
    bot.closes_its_side();
    bot.line();
    bot.hears("\r\nCommand(panda01)> hardreset\n(bot:echo) initiated a hard reset\n");
    assert!(bot.line().starts_with("[hard reset done: panda01 was off, and now is on"));
    bot.is_let_go();
    watching.hears("(bot:echo) connected\n(bot:echo) initiated a hard reset\n");
    assert!(watching.line().starts_with("[hard reset done: "));
    watching.hears("(bot:echo) disconnected\n");

    // One that is gone for good has its command carried out too; half a command is none.
    let mut bot = conmux.user("bot:echo");
    bot.types("~$off\n");
    bot.heard.find(LIMIT, bot.seen, b"off\n").unwrap();
    drop(bot);
    watching.hears("(bot:echo) connected\n(bot:echo) initiated a power off\n");
    watching.heard.find(LIMIT, watching.seen, b"[power off done: panda01 is off ").unwrap();
    let mut bot = conmux.user("bot:echo");
    bot.types("~$on");
    bot.closes_its_side();
    bot.hears("\r\nCommand(panda01)> on");
    bot.is_let_go();
    let mut alice = conmux.user("user:alice");
    alice.types("~$status\n");
    alice.hears("\r\nCommand(panda01)> status\n");
    assert!(alice.line().starts_with("[panda01 is off (read back from the PDU, "));
}

#[test]
fn a_c_program_sends_its_nul_and_reads_each_answer_at_once() {
    let mut conmux = Conmux::start();
    // As cdba: copies every value into 64 bytes.
    let _crowd: Vec<Wire> = (0..4).map(|number| conmux.user(&format!("user:{number}"))).collect();
    let mut cdba = Wire::new(conmux.serial.address("panda01.conmux"));
    cdba.types("CONNECT id=cdba:lab to=console\n\0");
    let answer = cdba.line();
    for pair in answer.split(' ') {
        let (key, value) = pair.split_once('=').unwrap();
        assert!(key.chars().all(char::is_alphabetic), "{answer}");
        let plain = value.len() - 2 * value.matches('%').count();
        assert!(plain < 64, "{plain} bytes: {value}");
    }
    cdba.types("~$hardreset\n\0");
    cdba.types("\r");
    assert_eq!(conmux.typed(1), "\r");
    cdba.heard.find(LIMIT, 0, b"[hard reset done: ").unwrap();
}

#[test]
fn a_status_client_speaks_to_everybody_and_not_to_the_board() {
    let mut conmux = Conmux::start();
    let mut alice = conmux.user("user:alice");
    let mut driver = Wire::new(conmux.serial.address("panda01.conmux"));
    driver.types("CONNECT id=bot:driver to=console type=status\n");
    driver.line();
    alice.hears("(bot:driver) connected\n");
    driver.types("going d");
    driver.types("own\r\nand ~$quit\nup");
    alice.hears("(bot:driver) going down\n(bot:driver) and ~$quit\n");
    conmux.prints("ok");
    alice.hears("ok");
    driver.heard.find(LIMIT, 0, b"ok").unwrap();
    driver.closes_its_side();
    alice.hears("(bot:driver) up\n(bot:driver) disconnected\n");
    alice.types("x");
    assert_eq!(conmux.typed(1), "x");
}

#[test]
fn who_only_asks_for_the_state_is_not_announced() {
    let mut conmux = Conmux::start();
    let mut alice = conmux.user("user:alice");
    let mut asks = Wire::new(conmux.serial.address("panda01.conmux"));
    asks.types("CONNECT hide=1 id=user%3Abob to=console\n");
    asks.hears(&format!("motd=%28user%3Aalice%29%20is%20already%20connected%0A {CONNECTED}\n"));
    conmux.prints("secret");
    alice.hears("secret");
    assert_eq!(conmux.status()["sessions"].as_array().unwrap().len(), 1);
    // It cannot type unseen, and misses nothing.
    asks.types("x");
    asks.hears("secret");
    alice.hears("(user:bob) connected\n");
    assert_eq!(conmux.typed(1), "x");
}

#[test]
fn who_holds_the_console_is_not_disturbed() {
    let mut conmux = Conmux::start();
    let job =
        WebSocket::attach(conmux.serial.address("http"), "panda01", "user=job:42&mode=exclusive");
    job.expect_message("the hello", |message| message["type"] == "hello");
    let mut alice = Wire::new(conmux.serial.address("panda01.conmux"));
    alice.types("CONNECT id=user%3Aalice to=console\n");
    let motd = alice.line();
    assert!(motd.contains("%28job%3A42%29%20is%20already%20connected%0A%5Bread-only"), "{motd}");
    alice.types("x");
    let told = alice.line();
    assert!(told.starts_with("[read-only: job:42 has the console since "), "{told}");
    alice.types("y~$close\n~$break\n");
    alice.hears("\r\nCommand(panda01)> close\n");
    alice.hears("read-only: job:42 has the console\n");
    alice.hears("\r\nCommand(panda01)> break\n");
    alice.hears("no break: read-only: job:42 has the console\n");
    alice.types("~$force\n~$who\nz");
    alice.hears("\r\nCommand(panda01)> force\n");
    assert_eq!(conmux.typed(1), "z");
    alice.heard.find(LIMIT, alice.seen, b"(user:alice) took the console from job:42\n").unwrap();
    alice.heard.find(LIMIT, alice.seen, b"(user:alice) exclusive, conmux 127.0.0.1:").unwrap();
    let holder = conmux.status()["holder"].clone();
    assert_eq!((&holder["user"], &holder["via"]), (&json!("alice"), &json!("conmux")));
}

#[test]
fn a_power_daemon_that_is_away_is_told_of_to_whoever_asked() {
    let mut conmux = Conmux::start();
    let (mut alice, mut bob) = (conmux.user("user:alice"), conmux.user("user:bob"));
    alice.hears("(user:bob) connected\n");
    conmux.power.terminate();
    alice.types("~$hardreset\n");
    alice.hears("\r\nCommand(panda01)> hardreset\ncannot connect to http://");
    bob.types("~$msg still here\n");
    bob.hears("\r\nCommand(panda01)> msg still here\n(user:bob) still here\n");
    let events = http(conmux.serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    let power = events.as_array().unwrap().iter().filter(|event| event["kind"] == "power");
    assert_eq!(power.count(), 0, "nothing was begun");
}

#[test]
fn a_restart_lets_none_of_them_go() {
    let mut conmux = Conmux::start();
    let (mut alice, mut bob) = (conmux.user("user:alice"), conmux.user("user:bob"));
    alice.hears("(user:bob) connected\n");
    // In the middle of a command, and of an escape.
    alice.types("~$msg bef");
    alice.hears("\r\nCommand(panda01)> msg bef");
    bob.types("a~");
    assert_eq!(conmux.typed(1), "a");
    crate::common::signal(conmux.serial.pid(), rustix::process::Signal::USR2);
    wait_until(LIMIT, "the next program is ready", || {
        conmux.serial.output().text().matches("ready: ").count() == 2
    });
    conmux.prints("printed meanwhile");
    alice.hears("printed meanwhile");
    alice.types("ore and after\n");
    alice.hears("ore and after\n(user:alice) before and after\n");
    bob.hears("printed meanwhile(user:alice) before and after\n");
    bob.types("b");
    assert_eq!(conmux.typed(2), "~b");
    let mut carol = Wire::new(conmux.serial.address("panda01.conmux"));
    carol.types("CONNECT id=user:carol to=console\n");
    assert!(carol.line().contains("alice"));
}
