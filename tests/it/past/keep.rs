//! How much of a console is kept.

use super::{files, record};
use crate::common::{LIMIT, TestLab, http, wait_until};

#[test]
fn a_console_forgets_what_is_too_old_or_too_much_for_it_however_quiet_it_is() {
    let lab = TestLab::new();
    let line = [b'x'; 100_000];
    for console in ["old", "large", "kept"] {
        record(&lab, console, (0..70).map(|_| &line[..]));
    }
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\nsegment = \"3MiB\"\n\
         [[console]]\nname = \"old\"\nport = \"exec:sleep 1000\"\nkeep_age = \"8s\"\n\
         [[console]]\nname = \"large\"\nport = \"exec:sleep 1000\"\nkeep = \"2MiB\"\n\
         [[console]]\nname = \"kept\"\nport = \"exec:sleep 1000\"\n",
        lab.path("capture")
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)]);
    let first = |console: &str| {
        let path = format!("/consoles/{console}");
        let status = http(serial.address("http"), "GET", &path, "").json();
        (status["first"].as_u64().unwrap(), status["head"].as_u64().unwrap())
    };
    // Nothing more is printed: time alone makes it forget, the segment that was open included.
    wait_until(LIMIT, "all that is old is gone", || first("old") == (7_000_000, 7_000_000));
    assert_eq!(files(&lab, "old", ".raw"), [""; 0]);
    assert_eq!(files(&lab, "old", ".raw.zst"), [""; 0]);
    wait_until(LIMIT, "what is too much is gone", || first("large").0 > 6_000_000);
    wait_until(LIMIT, "what is kept is compressed", || files(&lab, "kept", ".raw.zst").len() == 2);
    assert_eq!(first("kept").0, 0);
}
