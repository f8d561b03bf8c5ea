//! Lines of authorized_keys files: what is taken for a key has a form, and nothing panics.
#![no_main]

use lavamux::config::ssh::PublicKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    if let Ok(Some(key)) = PublicKey::of_line(line) {
        assert!(key.blob.len() > 8);
    }
});
