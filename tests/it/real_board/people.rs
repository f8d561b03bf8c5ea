//! Several people and programs at one console, and its power.

use super::{Bench, FIRST_BYTES, PROMPT};
use crate::common::{Client, http};

#[test]
fn people_and_programs_share_a_console_through_power_cycles() {
    let bench = Bench::start().with_power();
    let mut alice = bench.person();
    let mut bob = Client::telnet(bench.telnet);
    let mut program = Client::raw(bench.raw);
    bob.expect("Connected");
    let everybody_hears = |clients: [&mut Client; 3], text: &str| {
        for client in clients {
            client.expect(text);
        }
    };

    // The board is off. Alice powers it on from the console's own prompt.
    alice.type_text("~$hardreset\r");
    everybody_hears([&mut alice, &mut bob, &mut program], "U-Boot 20");
    let heard = program.heard().text();
    assert!(heard.starts_with(FIRST_BYTES), "from its very first byte: {heard:?}");
    alice.expect("Hit any key to stop autoboot");
    alice.type_text(" ");
    everybody_hears([&mut alice, &mut bob, &mut program], PROMPT);
    alice.type_text("echo alice was $board_name\r");
    everybody_hears([&mut alice, &mut bob, &mut program], "alice was qemu-arm");

    // Again; this time it is Bob who stops the countdown.
    alice.type_text("~$hardreset\r");
    everybody_hears([&mut alice, &mut bob, &mut program], "U-Boot 20");
    for (who, client) in [("alice", &alice), ("bob", &bob), ("the program", &program)] {
        let times = client.heard().text().matches(FIRST_BYTES).count();
        assert_eq!(times, 2, "{who} saw both boots from the first byte: {}", client.heard().text());
    }
    bob.expect("Hit any key to stop autoboot");
    bob.type_text(" ");
    everybody_hears([&mut alice, &mut bob, &mut program], PROMPT);
    bob.type_text("echo bob was $board_name\r");
    everybody_hears([&mut alice, &mut bob, &mut program], "bob was qemu-arm");
    program.type_text("echo program was $board_name\r");
    everybody_hears([&mut alice, &mut bob, &mut program], "program was qemu-arm");

    // The timeline tells who switched what, and that it was verified.
    let events = http(bench.http, "GET", "/consoles/panda01/events?from=0", "").text();
    assert!(
        events.contains(r#""verb":"cycle""#) && events.contains(r#""phase":"done""#),
        "{events}"
    );
}
