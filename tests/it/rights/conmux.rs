//! conmux's clients, of whom nobody knows who they are, once others have to log in.

use super::{Guarded, user};
use crate::common::Client;

/// A `[conmux]` table.
fn conmux(more: &str) -> String {
    format!("[conmux]\nregistry = \"127.0.0.1:0\"\n{more}\n")
}

/// Somebody at the console panda01.
fn attach(lab: &Guarded) -> Client {
    let mut client = Client::raw(lab.serial.address("panda01.conmux"));
    client.type_text("CONNECT id=user:mallory to=console\n");
    client.expect("status=OK");
    client
}

#[test]
fn they_type_and_look_and_control_only_where_that_is_said() {
    let alice = user("alice", "control = \"*\"");
    let lab = Guarded::start(&(alice.clone() + &conmux("")));
    let mut mallory = attach(&lab);
    mallory.type_text("hello\n");
    mallory.expect("got hello");
    mallory.type_text("~$who\n");
    mallory.expect("(user:mallory) rw, conmux");
    for command in ["force", "break", "line 9600", "kick alice", "close", "hardreset", "off"] {
        mallory.type_text(&format!("~${command}\n"));
        mallory.expect("[not allowed; nobody logs in here");
    }
    // A changed configuration counts for those who are there.
    lab.reload(&(alice.clone() + &conmux("control = true")));
    mallory.type_text("~$force\n");
    mallory.expect("[you have the console;");
    lab.reload(&(alice + &conmux("")));
    mallory.type_text("~$force\n");
    mallory.expect("[not allowed; nobody logs in here");
    lab.reload(&conmux(""));
    mallory.type_text("~$release\n~$force\n");
    mallory.expect("(user:mallory) took the console");
}

#[test]
fn a_board_that_somebody_holds_is_switched_by_nobody_else_whatever_they_call_themselves() {
    let lab = Guarded::start(&conmux(""));
    let mut mallory = attach(&lab);
    let holder =
        crate::common::WebSocket::attach(lab.http(), "panda01", "user=mallory&mode=exclusive");
    holder.expect_message("the hello", |m| m["mode"] == "exclusive");
    mallory.type_text("~$off\n");
    mallory.expect("[user:mallory has the console since ");
    mallory.expect("~$force takes the console, then try again]");
}

#[test]
fn they_have_the_words_of_lava_console() {
    let lab = Guarded::start(&conmux(""));
    let mut mallory = attach(&lab);
    mallory.type_text("one\ntwo\n");
    mallory.expect("got two");
    mallory.type_text("~$line\n");
    mallory.expect("[115200n8, DTR on, RTS on");
    mallory.type_text("~$info\n");
    mallory.expect("port exec:sh …, open");
    mallory.type_text("~$log 1\n");
    mallory.expect("--- the last 1 lines of the log ---\ngot two\n---");
    mallory.type_text("~$breaks\n");
    mallory.expect("[there is no break sequence]");
    mallory.type_text("~$spy\n");
    mallory.expect("[read-only: attached as a spy");
    mallory.type_text("~$rw\n~$note seen\n~$send x\n");
    mallory.expect("[only lava-console can do this]");
    mallory.type_text("~$reopen\n");
    mallory.expect("triggered a console open");
    mallory.type_text("~$kick mallory\n");
    mallory.expect("[mallory let you go]");
    let events = lab.ask("", "GET", "/consoles/panda01/events", "").text();
    assert!(events.contains(r#""kind":"note","text":"seen""#), "{events}");
}
