//! The power buttons: what the interlock says is told, and by force it is done.

use super::Lab;
use super::browser::Browser;
use crate::common::{TestLab, WebSocket, http};

#[test]
fn a_board_that_somebody_holds_is_switched_only_by_force_and_with_a_reason() {
    let power_lab = TestLab::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outlet = format!("outlet = \"http://{free}/outlets/panda01\"");
    let lab = Lab::start("exec:sh -c 'sleep 1000'", "", &outlet);
    let config = format!(
        "[http]\nlisten = \"{free}\"\n[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"10ms\"\n\
         console = \"{}\"\n",
        lab.url("/consoles/panda01")
    );
    let _power =
        power_lab.start("lava-power", ["--config", &power_lab.write("power.toml", &config)]);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    let state = |state: &str| {
        page.expect(
            state,
            &format!("document.getElementById('outlet').textContent === 'power {state}'"),
        );
    };
    state("off");
    page.click("#on");
    page.click("#yes");
    state("on");
    page.expect(
        "it is told",
        "document.getElementById('events').textContent.includes('power on done')",
    );

    let bob = WebSocket::attach(lab.address, "panda01", "mode=exclusive&user=bob");
    bob.expect_message("the hello", |message| message["mode"] == "exclusive");
    page.click("#off");
    page.click("#yes");
    page.expect(
        "it is refused",
        "document.getElementById('told').textContent.includes('bob has the console since')",
    );
    assert_eq!(page.eval("document.getElementById('yes').disabled"), true);
    page.eval("(() => { const it = document.getElementById('reason'); it.value = 'smoke'; it.dispatchEvent(new Event('input')) })()");
    page.click("#yes");
    state("off");
    page.expect(
        "everybody is told",
        "document.getElementById('events').textContent.includes('by force, held by bob: smoke')",
    );

    // The interface itself wants a reason, too.
    let force = http(lab.address, "POST", "/consoles/panda01/outlet/on", r#"{"force":true}"#);
    assert_eq!(force.status, 400, "{}", force.text());
    let plain = http(lab.address, "POST", "/consoles/panda01/outlet/on", "");
    assert_eq!(plain.status, 409, "{}", plain.text());
    assert_eq!(http(lab.address, "POST", "/consoles/panda01/outlet/explode", "").status, 404);
}
