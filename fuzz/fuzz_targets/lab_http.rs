//! Whatever is asked of a `lava-server` over HTTP: each request is answered, none of them by a fault of ours, and the lab can
//! be looked at afterwards. Requests for boards, what workers say, pieces of logs, images and their ranges, boards and
//! their states all come this way.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use lavamux::client::Login;
use lavamux::config::AccessConfig;
use lavamux::config::server::{ImagesConfig, JobsConfig};
use lavamux::front::http::access::Pages;
use lavamux::front::http::server::{Doors, router};
use lavamux::front::http::{Listener, serve};
use lavamux::server::{Images, Server};
use lavamux::store::Store;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// Who asks waits no longer than this; nothing here takes long but what waits for changes.
const PATIENCE: Duration = Duration::from_millis(500);
/// What makes a lab of it.
const BEGIN: &[&[u8]] = &[
    b"PUT /boards/panda01\n\n{\"type\":\"panda\",\"tags\":[\"hdmi\"],\"attributes\":{\"ram\":\"1GB\"}}",
    b"POST /requests\n\n{\"spec\":\"panda\",\"for\":\"1h\",\"user\":\"alice\"}",
    b"POST /requests\n\n{\"spec\":\"panda\",\"for\":\"1h\",\"user\":\"bob\"}",
    b"POST /uploads\n\n{\"size\":5,\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\",\"user\":\"alice\"}",
];

// Requests, which a byte 0xAA ends: `METHOD PATH`, lines of headers, an empty line, the body.
fuzz_target!(|data: &[u8]| {
    RUNTIME.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let end = CancellationToken::new();
        let server = begin(dir.path(), &end).await;
        let socket = dir.path().join("socket");
        for request in BEGIN.iter().copied().chain(data.split(|byte| *byte == 0xaa).take(8)) {
            let Some(request) = written(request) else { continue };
            let mut stream = UnixStream::connect(&socket).await.unwrap();
            let mut answer = Vec::new();
            let asked = async {
                stream.write_all(&request).await?;
                stream.read_to_end(&mut answer).await
            };
            // What follows changes goes on for as long as one listens.
            let _ = tokio::time::timeout(PATIENCE, asked).await;
            let told = String::from_utf8_lossy(&answer);
            assert!(!told.starts_with("HTTP/1.1 500"), "{}: {told}", request.escape_ascii());
        }
        server.requests(true).await.unwrap();
        server.boards().await;
        end.cancel();
        server.close().await;
    });
});

async fn begin(dir: &Path, end: &CancellationToken) -> Server {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let images = ImagesConfig {
        place: dir.join("files").display().to_string(),
        uploads: dir.join("uploads"),
        quota: Some(1 << 20),
        keep: Duration::from_secs(3600),
    };
    let images = Images::open(store.clone(), images).unwrap();
    let server = Server::load(store, Login::default(), JobsConfig::at(dir)).await.unwrap();
    let doors = Doors::new(AccessConfig::default(), Pages::new(|| None));
    doors.refresh(&server).await.unwrap();
    let app = router(server.clone(), images, doors, TaskTracker::new());
    let listener = Arc::new(UnixListener::bind(dir.join("socket")).unwrap());
    tokio::spawn(serve(Listener::Unix(listener), app, end.clone()));
    let (queue, of_queue) = (server.clone(), end.clone());
    tokio::spawn(async move { queue.run(of_queue).await });
    server
}

/// As it goes over the wire; `None` of what has no first line.
fn written(request: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = match request.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&request[..at], &request[at + 2..]),
        None => (request, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().filter(|first| !first.is_empty())?;
    let mut wire = [first, b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"].concat();
    for line in lines {
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    wire.extend_from_slice(body);
    Some(wire)
}
