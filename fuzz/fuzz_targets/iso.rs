//! The image of a CD: whatever is in it, a file is found or it is not.
#![no_main]

use std::io::Cursor;

use lavamux::image::iso::find;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What is in front of the volume's descriptors says nothing.
    let image = [&[0; 16 * 2048][..], data].concat();
    if let Ok(found) = find(&mut Cursor::new(&image), "/install/vmlinuz") {
        let _ = found.begin.checked_add(found.size);
    }
});
