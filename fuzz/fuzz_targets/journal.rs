//! The journal of an outlet after somebody else was at it: nothing panics, what is kept is bounded, in
//! order, and only the newest operation can be under way.
#![no_main]

use lavamux::power::Chronicle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let chronicle = Chronicle::read(data);
    let times: Vec<u64> = chronicle.records().map(|record| record.begin_us).collect();
    assert!(times.len() <= 512 && times.is_sorted());
    if let Some(pending) = chronicle.pending() {
        assert_eq!(Some(&pending.begin_us), times.last());
        assert_eq!(pending.end_us, None);
    }
});
