//! A board that somebody holds is switched through none of the fronts, and each says why.

use super::{SLOW, Sent, exchange, said};
use crate::common::{TestLab, WebSocket, http, run};
use crate::power::Power;

#[test]
fn every_front_passes_through_the_interlock() {
    let lab = TestLab::new();
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
         [[console]]\nname = \"n1\"\nport = \"unix:{}\"\n",
        lab.path("capture").display(),
        lab.path("no-board").display()
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)]);
    let serial_http = serial.address("http");
    let config = format!(
        "[pdudaemon]\nlisten = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\n\
         [powerman]\nlisten = \"127.0.0.1:0\"\n\
         [[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"n1\"\npdu = \"rack1\"\nport = 1\noff_time = \"10ms\"\n\
         console = \"http://{serial_http}/consoles/n1\"\n"
    );
    let power = Power::start(&lab, &config);
    power.done("n1", "on");
    let alice = WebSocket::attach(serial_http, "n1", "mode=exclusive&user=alice");
    alice.expect_message("the hello", |message| message["mode"] == "exclusive");

    let held = "n1 is held by alice since ";
    let pdudaemon = power.daemon.address("pdudaemon");
    for path in ["off?alias=n1", "reboot?hostname=rack1&port=1"] {
        let answer = http(pdudaemon, "GET", &format!("/power/control/{path}"), "");
        assert_eq!(answer.status, 503);
        assert!(answer.text().starts_with(held), "{}", answer.text());
    }
    let answer = exchange(power.daemon.address("tcp"), b"rack1 1 off", Sent::All);
    assert!(answer.starts_with(&format!("nack: {held}")), "{answer}");
    for (method, path, body) in
        [("PUT", "/labgrid/outlets/n1", "0"), ("GET", "/labgrid/pdus/rack1/1/0", "")]
    {
        let answer = http(power.address, method, path, body);
        assert_eq!(answer.status, 409, "{method} {path}");
        assert!(answer.text().starts_with(held), "{}", answer.text());
    }
    let server = power.daemon.address("powerman").to_string();
    let mut powerman = lab.tool("powerman");
    let answer = said(&run(powerman.args(["-h", &server, "-c", "n1"]), "", SLOW));
    assert!(answer.starts_with(held), "{answer}");
    assert!(answer.ends_with("\nCommand completed with errors\n[210]"), "{answer}");
    // To look is free.
    assert_eq!(power.state("n1"), "on verified");
    assert_eq!(http(power.address, "GET", "/labgrid/outlets/n1", "").text(), "1");
}
