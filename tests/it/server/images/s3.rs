//! The same in an S3: moto's, which tests/rig/moto installs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use super::super::{Server, lava};
use super::{file, put};
use crate::common::{Daemon, Heard, LIMIT, Process, TestLab, http, http_as, http_with, needs};

/// An S3 with a bucket `lab`.
struct S3 {
    address: SocketAddr,
    _process: Process,
}

impl S3 {
    #[track_caller]
    fn start(lab: &TestLab) -> Self {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/moto/bin/python3");
        let mut command = lab.tool(needs(&python));
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let said = Heard::from(process.child().stderr.take().unwrap());
        let begin = said.find(LIMIT, 0, b"Running on http://").unwrap();
        let end = said.find(LIMIT, begin, b"\n").unwrap();
        let address = said.text()[begin..end].trim().parse().unwrap();
        assert_eq!(http(address, "PUT", "/lab", "").status, 200);
        Self { address, _process: process }
    }

    /// A lava-server whose images are there.
    #[track_caller]
    fn serve(&self, lab: &TestLab, listen: &str) -> Server {
        let config =
            lab.write("s3.toml", "[images]\nplace = \"s3://lab/images\"\nquota = \"30MB\"\n");
        let mut command = lab.program("lava-server");
        command.args(["--listen", listen, "--config", &config]);
        command.env("AWS_ENDPOINT", format!("http://{}", self.address));
        command.env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "lab").env("AWS_SECRET_ACCESS_KEY", "secret");
        let daemon = Daemon::start("lava-server", &mut command);
        Server { address: daemon.address("http"), daemon }
    }
}

#[test]
fn an_s3_keeps_files_as_a_folder_does() {
    let lab = TestLab::new();
    let s3 = S3::start(&lab);
    let mut server = s3.serve(&lab, "127.0.0.1:0");
    // More than one part of S3.
    let (path, text, hash) = file(&lab, "root.img", 20_000_000);
    let told = json!({"size": text.len(), "sha256": hash, "user": "alice"});
    let id = server.ask("POST", "/uploads", &told).json()["id"].as_str().unwrap().to_owned();
    let piece = format!("/uploads/{id}?offset=0&user=alice");
    let answer = http_as(server.address, None, "PATCH", &piece, &text[..7_000_000]);
    assert_eq!(answer.json()["offset"], 7_000_000, "{}", answer.text());
    server.daemon.kill();
    let server = s3.serve(&lab, &server.address.to_string());
    assert_eq!(server.ask("POST", "/uploads", &told).json()["offset"], 7_000_000);
    let (code, _, err) = put(&lab, &server, "alice", &path, &[]);
    assert_eq!(code, 0, "{err}");

    let got = lab.path("got");
    let get = ["image", "get", "root.img", "-o", got.to_str().unwrap()];
    let (code, _, err) = lava(&lab, &server, "bob", &get);
    assert!(code == 0 && std::fs::read(&got).unwrap() == text.as_bytes(), "{err}");
    let content = "/images/root.img/content";
    for (asked, part) in [
        ("range: bytes=16777210-16777300\r\n", 16_777_210..16_777_301),
        ("range: bytes=-5\r\n", 19_999_995..20_000_000),
    ] {
        let answer = http_with(server.address, "GET", content, asked, "");
        assert!(answer.status == 206 && answer.body == text.as_bytes()[part], "{asked}");
    }

    let object = format!("/lab/images/{}/{hash}", &hash[..2]);
    let other = text.replacen("line 7 ", "line 8 ", 1);
    assert_eq!(http(s3.address, "PUT", &object, &other).status, 200);
    std::fs::remove_file(&got).unwrap();
    let (code, _, err) = lava(&lab, &server, "bob", &get);
    assert!(code == 3 && !got.exists(), "{err}");

    // Its name is taken away, and it makes room for the next one.
    assert_eq!(lava(&lab, &server, "alice", &["image", "remove", "root.img"]).0, 0);
    let (next, ..) = file(&lab, "next.img", 20_000_000);
    let (code, _, err) = put(&lab, &server, "alice", &next, &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(http(s3.address, "GET", &object, "").status, 404);
}
