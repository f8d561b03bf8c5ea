//! The log of a job as a worker sends it: whatever is in it, it is read to its end, shown line by line, and what it came
//! to is told in all forms.
#![no_main]

use lavamux::dispatch::record::{Report, View, Wanted, junit, results_yaml, tap};
use libfuzzer_sys::fuzz_target;

// The first byte says where the log is cut: it is read up to there first, as while it grows.
fuzz_target!(|data: &[u8]| {
    let [cut, log @ ..] = data else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("output.jsonl");
    let first = &log[..log.len() * usize::from(*cut) / 255];
    std::fs::write(&path, first).unwrap();
    let mut view = View::new(path.clone());
    view.grow().unwrap();
    std::fs::write(&path, log).unwrap();
    view.grow().unwrap();
    // Read at once it is the same.
    let mut whole = View::new(path);
    whole.grow().unwrap();
    assert_eq!(view.len(), whole.len());
    let all: Vec<u32> = (0..view.len() as u32).collect();
    assert_eq!(view.rows(&all).unwrap(), whole.rows(&all).unwrap());
    let wanted = Wanted { grep: Some("a|e".to_owned()), ..Wanted::default() };
    let found = whole.find(&wanted).unwrap();
    assert!(found.len() <= whole.len());
    let _ = view.report();
    if let Ok(report) = Report::read(dir.path()) {
        junit(&report);
        tap(&report);
        let _ = results_yaml(&report);
    }
});
