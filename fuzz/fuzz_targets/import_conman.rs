//! Conman.conf: whatever is in it, what is printed is a configuration.
#![no_main]

use lavamux::config::serial::SerialConfig;
use lavamux::import::{Format, Imported, read, whole};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut found = Imported::default();
    // Whatever it includes is itself.
    let include = &mut |path: &str| Ok(vec![(path.to_owned(), text.to_owned())]);
    if read(Format::Conman, "a file", text, include, &mut found).is_ok() {
        let printed = whole(&found, "Made by a fuzzer.", true);
        if !found.consoles().is_empty() {
            let config = SerialConfig::parse("serial.toml", &printed).unwrap();
            assert_eq!(config.consoles.len(), found.consoles().len());
        }
    }
});
