//! The daemons of a lab come and go, and people see which are there.

use super::{Rack, Server, lava};
use crate::common::job::JOB;
use crate::common::{TestLab, wait_until};

#[test]
fn a_board_is_away_when_its_lava_serial_was_killed_and_back_with_it() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let mut rack = Rack::with_boards(&lab, &server);
    let daemons = || {
        let (code, out, err) = lava(&lab, &server, "alice", &["daemons"]);
        assert_eq!(code, 0, "{err}");
        out
    };
    let said = daemons();
    let line = |said: &str, of: &str| {
        said.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned()
    };
    for of in ["lava-serial", "lava-power"] {
        let line = line(&said, of);
        assert!(line.starts_with("farm1 ") && line.contains("live"), "{said}");
        assert!(line.contains(env!("CARGO_PKG_VERSION")) && line.contains("http://127.0.0.1:"));
    }
    let (code, _, err) = lava(&lab, &server, "alice", &["reserve", "name=panda02"]);
    assert_eq!(code, 0, "{err}");

    rack.serial.kill();
    let away = || server.get("/boards/panda01")["away"].as_str().map(str::to_owned);
    wait_until(JOB, "its board is away", || away().is_some());
    let why = away().unwrap();
    assert!(why.contains("nothing is heard of"), "{why}");
    assert!(line(&daemons(), "lava-serial").contains("silent"), "{}", daemons());
    let all = server.get("/daemons");
    let serial = all.as_array().unwrap().iter().find(|it| it["kind"] == "serial").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let silence_s = now.as_secs() - serial["seen_us"].as_u64().unwrap() / 1_000_000;
    assert!(silence_s >= 30, "it was heard of {silence_s} s ago: {all}");
    assert!(line(&daemons(), "lava-power").contains("live"), "{}", daemons());
    let (_, list, _) = lava(&lab, &server, "bob", &["board", "list"]);
    assert!(line(&list, "panda01").contains(&why), "{list}");
    let args = ["reserve", "name=panda01", "--no-wait"];
    let (code, out, err) = lava(&lab, &server, "bob", &args);
    assert!(code == 0 && out.contains("not to be had: panda01: "), "{out}{err}");
    // Who has one keeps it.
    assert_eq!(server.get("/boards/panda02")["lease"]["holder"], "alice");

    rack.serial = lab.start("lava-serial", ["--config", &rack.serial_config]);
    server.until("it is back, and given to who waits", "/requests/2", |it| it["ready"] == true);
    assert_eq!(away(), None);
    assert!(line(&daemons(), "lava-serial").contains("live"), "{}", daemons());
    assert_eq!(daemons().matches("lava-serial").count(), 1, "{}", daemons());
    assert_eq!(server.get("/boards/panda02")["lease"]["holder"], "alice");
}
