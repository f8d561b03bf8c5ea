//! powerman's commands: in whatever pieces they come, they are the same lines, and every answer is one.
#![no_main]

use lavamux::wire::hostlist;
use lavamux::wire::powerman::{Command, Lines, Reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], usize)| {
    let (bytes, at) = data;
    let (first, second) = bytes.split_at(at.min(bytes.len()));
    let mut lines = Lines::default();
    let mut split = lines.feed(first);
    split.extend(lines.feed(second));
    assert_eq!(split, Lines::default().feed(bytes));
    for line in split.into_iter().flatten() {
        match Command::parse(&line) {
            Ok(Command::On(names)) => {
                assert!(names.len() <= hostlist::MAX_NAMES);
                // Names without brackets are the same names again.
                let list = hostlist::compress(names.iter().map(String::as_str));
                assert!(!list.is_empty());
            }
            Ok(_) => {}
            Err(refusal) => {
                assert!(!Reply::Refused(refusal).to_string().contains(char::is_control));
            }
        }
    }
});
