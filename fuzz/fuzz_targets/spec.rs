//! What boards are asked for by: whatever is written, it is read the same again from what it is shown as.
#![no_main]

use lavamux::sched::{Spec, Traits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(spec) = text.parse::<Spec>() else { return };
    if spec != Spec::default() {
        let shown = spec.to_string();
        assert_eq!(shown.parse::<Spec>().as_ref(), Ok(&spec), "{shown:?}");
    }
    let board = Traits {
        name: "panda01".parse().unwrap(),
        kind: "panda".parse().unwrap(),
        tags: ["hdmi".to_owned()].into(),
        attributes: [("ram", "1GB"), ("arch", "armv7"), ("cpus", "2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    };
    assert_eq!(spec.answers(&board), spec.unmet(&board).is_empty());
});
