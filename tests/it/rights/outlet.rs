//! A board's outlet at its console: lava-serial asks for who is there, and what they may counts at both
//! daemons.

use rustix::process::Signal;

use super::{ECHO, token, user};
use crate::common::{LIMIT, Port, TestLab, WebSocket, http_as, signal, wait_until};

#[test]
fn who_is_at_a_console_switches_the_board_as_themselves_and_no_more_than_they_may() {
    let lab = TestLab::new();
    let port = Port::take();
    let outlets = format!("http://{}/outlets", port.address());
    let mut text = format!(
        "{}{}{}[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\n",
        user("alice", "write = [\"panda01\", \"panda02\"]"),
        user("bob", "write = \"panda*\""),
        user("power", "write = \"*\""),
        lab.path("captures")
    );
    for name in ["panda01", "panda02"] {
        text += &format!(
            "[[console]]\nname = \"{name}\"\nport = \"{ECHO}\"\noutlet = \"{outlets}/{name}\"\n"
        );
    }
    let file = lab.write("serial.toml", &text);
    let mut serial = lab.program("lava-serial");
    let serial = crate::common::Daemon::start(
        "lava-serial",
        serial.args(["--config", &file]).env("LAVA_TOKEN", token("serial")),
    );
    let http = serial.address("http");
    let outlet = |name: &str, port: u32, more: &str| {
        format!(
            "[[outlet]]\nname = \"{name}\"\npdu = \"rack\"\nport = {port}\noff_time = \"10ms\"\n\
             console = \"http://{http}/consoles/{name}\"\n{more}"
        )
    };
    let power_config = |speaks: bool| {
        let rights = format!("control = \"*\"\nspeaks_for_others = {speaks}");
        user("serial", &rights)
            + &format!("[http]\nlisten = \"{}\"\n", port.address())
            + "[consoles]\ntoken_file = \"power.token\"\n[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n"
            + &outlet("panda01", 1, "")
            + &outlet("panda02", 2, "shared = true\n")
            + &outlet("panda03", 2, "shared = true\n")
    };
    let secret = lab.write("power.token", &token("power"));
    let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(secret, only_ours).unwrap();
    let file = lab.write("power.toml", &power_config(true));
    let power = lab.start("lava-power", ["--config", &file]);
    let ask = |who: &str, path: &str, body: &str| {
        let path = format!("/consoles/{path}");
        let answer = http_as(http, Some(&token(who)), "POST", &path, body);
        (answer.status, answer.text())
    };

    // She types there, and so it is hers.
    let alice = WebSocket::attach_as(http, Some(&token("alice")), "panda01", "mode=rw");
    alice.type_text("hello\n");
    let heard = alice.heard().find(LIMIT, 0, b"got hello");
    assert!(heard.is_ok(), "{heard:?}");
    let (status, told) = ask("alice", "panda01/outlet/on", "{\"user\":\"alice\"}");
    assert_eq!(status, 200, "{told}");
    let serials = Some(token("serial"));
    let history =
        http_as(power.address("http"), serials.as_deref(), "GET", "/outlets/panda01/history", "");
    assert_eq!(history.json()[0]["who"], "alice", "{}", history.text());
    let (status, told) = ask("bob", "panda01/outlet/off", "{}");
    assert!(status == 409 && told.contains("is used by alice, who typed there"), "{told}");

    // An outlet that another board is on, too, takes the right on that.
    let (status, told) = ask("alice", "panda02/outlet/on", "{}");
    assert!(status == 409 && told.contains("alice may nothing on another board"), "{told}");
    let (status, told) = ask("bob", "panda02/outlet/on", "{}");
    assert_eq!(status, 200, "{told}");

    // Nobody is asked in another's name who is not believed.
    lab.write("power.toml", &power_config(false));
    signal(power.pid(), Signal::HUP);
    wait_until(LIMIT, "lava-serial may not speak for others", || {
        let (status, told) = ask("bob", "panda02/outlet/on", "{}");
        assert!([200, 409].contains(&status), "{told}");
        status == 409 && told.contains("speaks_for_others = true of its [[token]]")
    });
}
