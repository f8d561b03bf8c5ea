use proptest::prelude::*;

use super::*;

/// A file of `size` bytes, each of which tells where it is.
fn image(size: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root");
    let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    (dir, path, bytes)
}

/// What a client sends: words of the protocol, one after the other.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn option(mut self, option: u32, data: &[u8]) -> Self {
        self.0.extend(OPTION.to_be_bytes());
        self.0.extend([option, data.len() as u32].map(u32::to_be_bytes).concat());
        self.0.extend(data);
        self
    }

    fn request(mut self, kind: u16, offset: u64, length: u32) -> Self {
        self.0.extend(REQUEST.to_be_bytes());
        self.0.extend([0, kind].map(u16::to_be_bytes).concat());
        self.0.extend([0xc00c_1e00, offset].map(u64::to_be_bytes).concat());
        self.0.extend(length.to_be_bytes());
        self
    }
}

/// All that a client gets for what it sends; it hangs up behind it.
async fn said(export: &Export, flags: u32, words: &[u8]) -> (io::Result<()>, Vec<u8>) {
    let sent = [&flags.to_be_bytes()[..], words].concat();
    let mut got = Vec::new();
    let done = export.serve(&sent[..], &mut got).await;
    (done, got)
}

#[tokio::test]
async fn a_client_reads_any_part_and_writes_none() {
    let (_dir, file, bytes) = image(600_000);
    let export = Export { file, size: 600_000 };
    let mut words =
        Words::default().option(99, b"structured").option(LIST, &[]).option(GO, &[0; 6]);
    words = words.request(READ, 1, 300_000).request(WRITE, 0, 3);
    words.0.extend(b"new");
    words = words.request(READ, 599_999, 2).request(FLUSH, 0, 0).request(DISCONNECT, 0, 0);
    let (done, got) = said(&export, 3, &words.0).await;
    done.unwrap();
    assert_eq!(got[..8], *b"NBDMAGIC");
    // Greeting, one refusal, the list of one and its end, the export's facts and the start.
    let at = 18 + 20 + (24 + 20) + (20 + 12 + 20);
    assert_eq!(got[at - 40 - 12 + 22..][..8], 600_000_u64.to_be_bytes());
    let reply = |error: u32| [&REPLY.to_be_bytes()[..], &error.to_be_bytes()].concat();
    assert_eq!(got[at..at + 8], reply(0));
    assert_eq!(got[at + 16..at + 16 + 300_000], bytes[1..300_001]);
    let rest: Vec<&[u8]> = got[at + 16 + 300_000..].chunks(16).map(|reply| &reply[..8]).collect();
    assert_eq!(rest, [&reply(NOT_PERMITTED)[..], &reply(INVALID), &reply(0)]);
}

#[tokio::test]
async fn the_kernels_older_way_of_asking_does_as_well() {
    let (_dir, file, bytes) = image(4096);
    let export = Export { file, size: 4096 };
    let words = Words::default().option(EXPORT_NAME, b"root").request(READ, 0, 4096);
    for (flags, zeroes) in [(3, 0), (1, 124)] {
        let (done, got) = said(&export, flags, &words.0).await;
        done.unwrap();
        assert_eq!(got[18..26], 4096_u64.to_be_bytes());
        assert_eq!(got[28 + zeroes + 16..], bytes[..]);
    }
}

#[tokio::test]
async fn the_server_lets_its_clients_go_when_it_ends() {
    let (_dir, file, _) = image(512);
    let server = Server::start("127.0.0.1:0".parse().unwrap(), &file).await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    let mut greeting = [0; 18];
    client.read_exact(&mut greeting).await.unwrap();
    drop(server);
    assert_eq!(client.read(&mut greeting).await.unwrap_or(0), 0);
}

proptest! {
    #[test]
    fn whatever_a_client_says_it_gets_no_more_than_it_asked_for(
        flags: u32,
        options in prop::collection::vec((0_u32..12, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        requests in prop::collection::vec((0_u16..8, 0_u64..6000, any::<u32>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (_dir, file, _) = image(4096);
        let export = Export { file, size: 4096 };
        let mut words = Words::default();
        for (option, data) in &options {
            words = words.option(*option, data);
        }
        for (kind, offset, length) in &requests {
            words = words.request(*kind, *offset, *length);
        }
        words.0.extend(&noise);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, got) = runtime.block_on(said(&export, flags, &words.0));
        // A greeting, an answer or two for an option, and at most the file for a request.
        let most = 18 + options.len() * 200 + requests.len() * (16 + 4096) + noise.len() * 5000;
        prop_assert!(got.len() <= most, "{} bytes", got.len());
    }
}
