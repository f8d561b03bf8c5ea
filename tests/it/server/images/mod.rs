//! Files are stored, whatever breaks off meanwhile, and come out as they went in.

mod faults;
mod s3;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Server, lava};
use crate::common::{TestLab, http_as, http_with};

/// A file of so many bytes that are not all the same, and its hash.
fn file(lab: &TestLab, name: &str, size: usize) -> (PathBuf, String, String) {
    let text: String = (0..)
        .map(|line| format!("line {line} of {name}\n"))
        .flat_map(String::into_bytes)
        .take(size)
        .map(char::from)
        .collect();
    let path = lab.path(name);
    std::fs::write(&path, &text).unwrap();
    let hash = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    (path, text, hash)
}

fn put(
    lab: &TestLab,
    server: &Server,
    user: &str,
    path: &Path,
    more: &[&str],
) -> (i32, String, String) {
    let path = path.to_str().unwrap();
    lava(lab, server, user, &[&["image", "put", path], more].concat())
}

#[test]
fn a_file_is_stored_by_name_and_had_whole_or_in_part() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let (path, text, hash) = file(&lab, "kernel", 20_000_000);
    let (code, told, err) =
        put(&lab, &server, "alice", &path, &["--name", "linux-next", "--note", "nightly"]);
    assert!(
        code == 0 && told.starts_with("linux-next is stored, and kept for 14 days"),
        "{told}{err}"
    );
    // The same file again need not be sent.
    assert_eq!(put(&lab, &server, "alice", &path, &["--keep", "ever"]).0, 0);
    let (_, list, _) = lava(&lab, &server, "bob", &["image", "list"]);
    assert!(
        list.contains("nightly") && list.contains("for ever") && list.contains("19.1 MiB"),
        "{list}"
    );

    let got = lab.path("got");
    let (code, _, err) =
        lava(&lab, &server, "bob", &["image", "get", "kernel", "-o", got.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert!(std::fs::read(&got).unwrap() == text.as_bytes());
    let tag = format!("\"sha256:{hash}\"");
    for (name, asked, status, part) in [
        ("linux-next", "", 200, 0..20_000_000),
        (&hash, "range: bytes=5-9\r\n", 206, 5..10),
        ("kernel", "range: bytes=-7\r\n", 206, 19_999_993..20_000_000),
        ("kernel", "range: bytes=3-\r\nif-range: \"another\"\r\n", 200, 0..20_000_000),
        ("kernel", &format!("if-none-match: {tag}\r\n"), 304, 0..0),
        ("kernel", "range: bytes=20000000-\r\n", 416, 0..0),
    ] {
        let answer =
            http_with(server.address, "GET", &format!("/images/{name}/content"), asked, "");
        assert_eq!(answer.status, status, "{asked}");
        assert!(answer.body == text.as_bytes()[part], "{asked}");
        if status == 206 {
            let digest = answer.header("repr-digest").unwrap();
            assert!(digest.starts_with("sha-256=:") && digest.len() == 54, "{digest}");
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
        }
    }
    let head = http_with(server.address, "HEAD", "/images/kernel/content", "", "");
    assert_eq!((head.status, head.header("content-length")), (200, Some("20000000")));

    let (code, _, err) = lava(&lab, &server, "alice", &["image", "remove", "kernel", "linux-next"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = lava(&lab, &server, "alice", &["image", "get", "kernel"]);
    assert!(code == 2 && err.contains("there is no image \"kernel\""), "{err}");
}

#[test]
fn an_upload_goes_on_where_it_broke_off_and_what_is_not_what_was_told_is_not_stored() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    let (path, text, hash) = file(&lab, "root.img", 300_000);
    let told = json!({"size": text.len(), "sha256": hash, "user": "alice"});
    let upload = server.ask("POST", "/uploads", &told).json();
    let id = upload["id"].as_str().unwrap().to_owned();
    let patch = |server: &Server, offset: usize, piece: &str| {
        let path = format!("/uploads/{id}?offset={offset}&user=alice");
        http_as(server.address, None, "PATCH", &path, piece)
    };
    assert_eq!(patch(&server, 0, &text[..100_000]).json()["offset"], 100_000);
    assert_eq!(patch(&server, 0, &text[..100_000]).status, 409);
    assert_eq!(patch(&server, 100_000, &text).status, 413);
    let others = http_as(server.address, None, "GET", &format!("/uploads/{id}?user=bob"), "");
    assert_eq!(others.status, 404);
    assert_eq!(
        server.ask("PUT", "/images/root", &json!({"sha256": hash, "user": "alice"})).status,
        404
    );
    server.daemon.kill();

    let server = Server::again(&lab, server.address);
    let on = server.ask("POST", "/uploads", &told).json();
    assert_eq!((&on["id"], &on["offset"]), (&Value::from(id.as_str()), &100_000.into()));
    // The rest is sent by lava.
    let (code, _, err) = put(&lab, &server, "alice", &path, &[]);
    assert_eq!(code, 0, "{err}");
    let stored = http_as(server.address, None, "GET", "/images/root.img/content", "");
    assert!(stored.body == text.as_bytes());

    let told = json!({"size": 5, "sha256": hash, "user": "alice"});
    let id = server.ask("POST", "/uploads", &told).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/uploads/{id}?offset=0&user=alice");
    let answer = http_as(server.address, None, "PATCH", &path, "wrong");
    assert!(
        answer.status == 422 && answer.text().contains("is not what was told"),
        "{}",
        answer.text()
    );
    let gone = http_as(server.address, None, "GET", &format!("/uploads/{id}?user=alice"), "");
    assert_eq!(gone.status, 404);
}

#[test]
fn a_damaged_file_is_given_to_nobody_until_it_is_brought_again_and_nobody_stores_more_than_they_may()
 {
    let lab = TestLab::new();
    let config = lab.write("server.toml", "[images]\nplace = \"files\"\nquota = \"1MB\"\n");
    let daemon = lab.start("lava-server", ["--listen", "127.0.0.1:0", "--config", &config]);
    let server = Server { address: daemon.address("http"), daemon };
    let (path, text, hash) = file(&lab, "dtb", 600_000);
    assert_eq!(put(&lab, &server, "alice", &path, &[]).0, 0);
    let (more, ..) = file(&lab, "more", 600_000);
    let (code, _, err) = put(&lab, &server, "alice", &more, &[]);
    assert!(
        code == 4 && err.contains("alice may store 1000000 bytes, has 600000 of them"),
        "{err}"
    );
    assert_eq!(put(&lab, &server, "bob", &more, &[]).0, 0);

    let stored = lab.path("files").join(&hash[..2]).join(&hash);
    std::fs::write(&stored, text.replacen("line 7 ", "line 8 ", 1)).unwrap();
    let got = lab.path("got");
    let (code, _, err) =
        lava(&lab, &server, "alice", &["image", "get", "dtb", "-o", got.to_str().unwrap()]);
    assert!(code == 3 && err.contains("what is stored is damaged"), "{err}");
    assert!(!got.exists());
    // It is not taken for one that is here already.
    let (code, _, err) = put(&lab, &server, "alice", &path, &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(std::fs::read(&stored).unwrap(), text.as_bytes());
    let get = ["image", "get", "dtb", "-o", got.to_str().unwrap()];
    let (code, _, err) = lava(&lab, &server, "alice", &get);
    assert_eq!(code, 0, "{err}");
    assert_eq!(std::fs::read(&got).unwrap(), text.as_bytes());
}

#[test]
fn an_image_is_its_owners_and_stored_by_who_may_have_a_board() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let here = |args: &[&str]| {
        let output = lab.run("lava", args, "");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // The first one is who says what everybody may.
    here(&["user", "add", "root", "--control", "*"]);
    let [alice, bob] =
        ["alice", "bob"].map(|user| here(&["user", "add", user, "--write", "panda*"]));
    let eve = here(&["user", "add", "eve", "--see", "panda*"]);
    let ask = |token: &str, method: &str, path: &str, body: &str| {
        http_as(server.address, Some(token), method, path, body)
    };
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let told = json!({"size": 5, "sha256": hash}).to_string();
    assert_eq!(ask(&eve, "POST", "/uploads", &told).status, 403);
    let upload = ask(&alice, "POST", "/uploads", &told).json();
    let piece = format!("/uploads/{}?offset=0", upload["id"].as_str().unwrap());
    assert_eq!(ask(&bob, "PATCH", &piece, "hello").status, 404);
    assert_eq!(ask(&alice, "PATCH", &piece, "hello").json()["done"], true);
    let named = json!({"sha256": hash}).to_string();
    assert_eq!(ask(&alice, "PUT", "/images/hello", &named).status, 200);
    assert_eq!(ask(&eve, "GET", "/images/hello/content", "").text(), "hello");
    let refused = ask(&bob, "PUT", "/images/hello", &named);
    assert_eq!((refused.status, refused.text().contains("is alice's")), (403, true));
    assert_eq!(ask(&bob, "DELETE", "/images/hello", "").status, 403);
    assert_eq!(ask(&alice, "DELETE", "/images/hello", "").status, 200);
}
