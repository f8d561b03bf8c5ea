//! The files of boards that `lava board apply` reads: good or not, in words; and what is good is written so that it is
//! read the same again.
#![no_main]

use lavamux::config::board;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("panda01.toml"), text).unwrap();
    let Ok(boards) = board::read(dir.path()) else { return };
    for (name, description) in &boards {
        let again = tempfile::tempdir().unwrap();
        let file = again.path().join(format!("{name}.toml"));
        std::fs::write(file, board::text(description)).unwrap();
        assert_eq!(board::read(again.path()).unwrap().get(name), Some(description));
    }
});
