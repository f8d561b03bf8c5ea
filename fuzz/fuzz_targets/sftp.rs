//! SFTP's requests: in whatever pieces they come, they are the same ones.
#![no_main]

use lavamux::wire::sftp::{Request, Requests, WrongLength};
use libfuzzer_sys::fuzz_target;

type Popped = Result<Vec<(u32, Option<Request>)>, WrongLength>;

fn all(pieces: &[&[u8]]) -> Popped {
    let (mut requests, mut found) = (Requests::default(), Vec::new());
    for piece in pieces {
        requests.push(piece);
        while let Some(request) = requests.pop()? {
            found.push(request);
        }
    }
    Ok(found)
}

fuzz_target!(|data: (&[u8], usize)| {
    let (bytes, at) = data;
    let (first, second) = bytes.split_at(at.min(bytes.len()));
    assert_eq!(all(&[bytes]), all(&[first, second]));
});
