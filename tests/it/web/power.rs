//! The power buttons: what the interlock says is told, and by force it is done.

use super::Lab;
use super::browser::{Browser, Page};
use crate::common::{Daemon, Port, TestLab, WebSocket, http};

#[test]
fn a_board_that_somebody_holds_is_switched_only_by_force_and_with_a_reason() {
    let port = Port::take();
    let (_power_lab, lab, _power) = switched(&port, "10ms");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    let state = |state: &str| is(&page, state);
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
    // The reason is where one types, and Enter is yes to what one has typed.
    page.expect("it asks why", "document.activeElement.id === 'reason'");
    page.type_text("smoke");
    page.submit();
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

#[test]
fn one_operation_is_asked_about_at_a_time_and_what_nobody_knows_is_not_told_as_known() {
    let port = Port::take();
    let (_power_lab, lab, mut power) = switched(&port, "10m");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.click("#on");
    page.click("#yes");
    is(&page, "on");
    page.click("#cycle");
    page.click("#yes");
    page.expect(
        "it is off for a while",
        "document.getElementById('events').textContent.includes('initiated a hard reset')",
    );
    // Meanwhile nothing else can be asked for.
    for verb in ["on", "off", "cycle"] {
        page.eval(&format!("document.getElementById('{verb}').click()"));
    }
    assert_eq!(page.eval("document.getElementById('ask').open"), false);
    power.kill();
    page.expect("it is told", "document.getElementById('ask').open");
    let told = page.eval("document.getElementById('question').textContent");
    assert_eq!(told, "It is not known whether panda01 was switched");
    let told = page.eval("document.getElementById('told').textContent");
    assert!(told.as_str().unwrap().contains("Now: power ?"), "{told}");
    page.click("#yes");
    page.expect(
        "it can be tried again",
        "!document.getElementById('ask').open && !document.getElementById('off').disabled",
    );
    // What can be asked for again has to be asked: nothing is sent by a click that answered something else.
    page.click("#off");
    page.expect(
        "it asks",
        "document.getElementById('question').textContent === 'Switch off panda01?'",
    );
    page.click("#no");
    page.expect("it is dropped", "!document.getElementById('ask').open");
    assert_eq!(page.errors(), [""; 0]);
}

/// A lab whose board panda01 has a simulated outlet, which is off; it stays off for so long in a cycle.
#[track_caller]
fn switched(port: &Port, off_time: &str) -> (TestLab, Lab, Daemon) {
    let power_lab = TestLab::new();
    let at = port.address();
    let outlet = format!("outlet = \"http://{at}/outlets/panda01\"");
    let lab = Lab::start("exec:sh -c 'sleep 1000'", "", &outlet);
    let config = format!(
        "[http]\nlisten = \"{at}\"\n[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"{off_time}\"\n\
         console = \"{}\"\n",
        lab.url("/consoles/panda01")
    );
    let config = power_lab.write("power.toml", &config);
    let power = power_lab.start("lava-power", ["--config", &config]);
    (power_lab, lab, power)
}

/// Waits until the page says how the outlet is.
#[track_caller]
fn is(page: &Page, state: &str) {
    let script = format!("document.getElementById('outlet').textContent === 'power {state}'");
    page.expect(state, &script);
}
