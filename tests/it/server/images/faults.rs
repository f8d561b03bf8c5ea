//! What goes wrong while files come: nothing of it is half done, and all of it can be gone on with.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::json;

use super::super::{Server, lava};
use super::{file, put};
use crate::common::{Daemon, Heard, LIMIT, Process, TestLab, http_as};

#[test]
fn a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room() {
    let lab = TestLab::new();
    let images = lab.path("images");
    std::fs::create_dir(&images).unwrap();
    // A disk of its own, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs -o size=8m none {} && exec {} --listen 127.0.0.1:0 --dir {}",
        images.display(),
        env!("CARGO_BIN_EXE_lava-server"),
        lab.dir().display(),
    );
    let mut full = lab.tool("unshare");
    if !rustix::process::getuid().is_root() {
        full.arg("--map-root-user");
    }
    let daemon = Daemon::start("lava-server", full.args(["--mount", "sh", "-c", &script]));
    let server = Server { address: daemon.address("http"), daemon };
    let there =
        std::path::PathBuf::from(format!("/proc/{}/root{}", server.daemon.pid(), images.display()));
    let (path, text, hash) = file(&lab, "root.img", 3_000_000);
    let told = json!({"size": text.len(), "sha256": hash, "user": "alice"});

    // Room for a part of it, then for all that comes but not for storing it.
    for (ballast, least) in [(6_500_000, 1_000_000), (4_000_000, 3_000_000)] {
        std::fs::write(there.join("ballast"), vec![0; ballast]).unwrap();
        let (code, _, err) = put(&lab, &server, "alice", &path, &[]);
        assert_eq!(code, 3, "{err}");
        assert!(
            err.contains("No space left on device") && err.contains("what came is kept"),
            "{err}"
        );
        let far = server.ask("POST", "/uploads", &told).json();
        assert!(far["offset"].as_u64().unwrap() >= least && far["done"] == false, "{far}");
        let named = json!({"sha256": hash, "user": "alice"});
        assert_eq!(server.ask("PUT", "/images/root.img", &named).status, 404);
    }
    let below = std::fs::read_dir(there.join("files").join(&hash[..2])).unwrap();
    assert_eq!(below.count(), 0, "nothing of it is where the files are");
    std::fs::remove_file(there.join("ballast")).unwrap();
    let (code, _, err) = put(&lab, &server, "alice", &path, &[]);
    assert_eq!(code, 0, "{err}");
    let stored = http_as(server.address, None, "GET", "/images/root.img/content", "");
    assert!(stored.body == text.as_bytes());
}

#[test]
fn who_finds_somebody_sending_goes_on_after_them() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let (path, text, hash) = file(&lab, "root.img", 300_000);
    let told = json!({"size": text.len(), "sha256": hash, "user": "alice"});
    let id = server.ask("POST", "/uploads", &told).json()["id"].as_str().unwrap().to_owned();
    let mut other = TcpStream::connect(server.address).unwrap();
    let head = format!("PATCH /uploads/{id}?offset=0&user=alice HTTP/1.1\r\nhost: localhost\r\n");
    write!(other, "{head}content-length: 300000\r\n\r\n{}", &text[..1000]).unwrap();
    let far = format!("/uploads/{id}?user=alice");
    server.until("it has begun", &far, |upload| upload["offset"] == 1000);

    let mut command = lab.program("lava");
    command.args(["image", "put", path.to_str().unwrap()]);
    command.env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut sending = Process::spawn(&mut command);
    let said = Heard::from(sending.child().stderr.take().unwrap());
    said.find(LIMIT, 0, b"by somebody else just now; going on").unwrap();
    drop(other);
    assert!(sending.wait(LIMIT).success(), "{}", said.text());
    let (_, list, _) = lava(&lab, &server, "bob", &["image", "list"]);
    assert!(list.contains("root.img"), "{list}");
}
