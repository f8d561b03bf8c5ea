//! Powerman.conf: whatever is in it, what is printed is TOML.
#![no_main]

use lavamux::config::{At, Problems, toml};
use lavamux::import::{Format, Imported, rack_toml, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut found = Imported::default();
    // Whatever it includes is itself.
    let include = &mut |path: &str| Ok(vec![(path.to_owned(), text.to_owned())]);
    if read(Format::Powerman, "a file", text, include, &mut found).is_ok() {
        let printed = rack_toml(found.rack(), "Made by a fuzzer.", true);
        let problems = Problems::default();
        assert!(toml::parse(&printed, &At::top("power.toml", &problems)).is_some());
    }
});
