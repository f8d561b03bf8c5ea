//! Debian's own `conmux-console` and `conmux-attach`, unmodified.

use super::Conmux;
use crate::common::{Client, LIMIT, run, wait_until};

#[test]
fn people_meet_on_a_board_and_reset_it() {
    let mut conmux = Conmux::start();
    let mut alice = Client::in_terminal(&mut conmux.console("alice"));
    alice.expect("Connected to panda01 [channel connected] (~$quit to exit)");
    let mut bob = Client::in_terminal(&mut conmux.console("bob"));
    bob.expect("Connected to panda01 [channel connected] (~$quit to exit)");
    bob.expect("(user:alice) is already connected");
    alice.expect("(user:bob) connected");
    // conmux-console sets its terminal only now.
    let before = "-icanon";
    wait_until(LIMIT, "the terminals are raw", || {
        [&alice, &bob].iter().all(|client| client.terminal().settings().contains(before))
    });
    alice.type_text("version\r");
    assert_eq!(conmux.typed(8), "version\r");
    conmux.prints("U-Boot 2023.01\r\n=> ");
    for user in [&mut alice, &mut bob] {
        user.expect("U-Boot 2023.01\r");
        user.expect("=> ");
    }
    alice.type_text("~$hardreset\r");
    alice.expect("Command(panda01)> hardreset");
    alice.expect("(user:alice) initiated a hard reset");
    bob.expect("(user:alice) initiated a hard reset");
    bob.expect("[hard reset done: panda01 was off, and now is on (read back from the PDU");
    alice.type_text("~$help\r");
    alice.expect("  hardreset [why]      power the board off and on again");
    alice.type_text("~$quit\r");
    alice.expect("Connection Closed (server)");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    bob.expect("(user:alice) disconnected");
}

#[test]
fn autotest_resets_a_board_by_one_command() {
    let conmux = Conmux::start();
    let mut watching = conmux.user("user:alice");
    let mut attach = conmux.lab.tool("conmux-attach");
    attach.args([&conmux.board(), "echo", "~$hardreset"]);
    let output = run(&mut attach, "", LIMIT);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    watching.hears("(bot:echo) connected\n(bot:echo) initiated a hard reset\n");
    watching.heard.find(LIMIT, watching.seen, b"[hard reset done: panda01 was off, and").unwrap();
    let events =
        crate::common::http(conmux.serial.address("http"), "GET", "/consoles/panda01/events", "");
    assert!(events.text().contains(r#""who":"bot:echo","kind":"power""#), "{}", events.text());
}

/// A bot in the manner of conmux's autoboot-helper: it waits for words of the board, and acts.
const BOT: &str = "#!/bin/sh\nwhile IFS= read -r line; do case $line in *'Restarting system.'*)\n\
    printf '~$msg it restarts\\n'; printf '~$hardreset\\n'; exit;; esac; done\n";

#[test]
fn a_bot_waits_for_the_board_and_acts() {
    let mut conmux = Conmux::start();
    let bot = conmux.lab.write("bot.sh", BOT);
    let mut alice = conmux.user("user:alice");
    let mut attach = conmux.lab.tool("conmux-attach");
    attach.args(["-b", "autoboot", &conmux.board(), "sh", &bot]);
    let mut attached = Client::in_pipes(&mut attach);
    alice.hears("(bot:autoboot) connected\n");
    conmux.prints("reboot: Restarting system.\r\n");
    alice.hears("reboot: Restarting system.\r\n(bot:autoboot) it restarts\n");
    alice.hears("(bot:autoboot) initiated a hard reset\n");
    alice.heard.find(LIMIT, alice.seen, b"[hard reset done: ").unwrap();
    assert_eq!(attached.process().wait(LIMIT).code(), Some(0));
}
