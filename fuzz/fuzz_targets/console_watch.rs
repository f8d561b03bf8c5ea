//! What a board prints, in pieces cut anywhere: the watch of a job's console neither fails nor keeps more
//! than it says, and finds the same wherever the pieces are cut.
#![no_main]

use lavamux::dispatch::expect::Place;
use lavamux::dispatch::watch::Watch;
use libfuzzer_sys::fuzz_target;

fn watched(pieces: impl Iterator<Item = Vec<u8>>) -> Watch {
    let mut watch = Watch::default();
    watch.reset();
    for piece in pieces {
        watch.push(Place { offset: None, time_us: 0 }, &piece);
    }
    watch
}

fuzz_target!(|data: (u8, &[u8])| {
    let (length, stream) = (usize::from(data.0).max(1), data.1);
    let whole = watched(std::iter::once(stream.to_vec()));
    let cut = watched(stream.chunks(length).map(<[u8]>::to_vec));
    assert_eq!(whole.alarm(), cut.alarm());
    assert_eq!(whole.messages().all(), cut.messages().all());
    assert!(cut.tail().len() <= 5 && cut.messages().all().len() <= 64);
});
