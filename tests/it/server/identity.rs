//! A board that was swapped, or copied, is noticed.

use serde_json::json;

use super::{Server, lava};
use crate::common::TestLab;

#[test]
fn a_board_that_tells_that_it_is_another_is_bad_until_somebody_has_looked() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    for (name, console) in [("panda01", "a"), ("panda02", "b")] {
        let url = format!("http://127.0.0.1:1/consoles/{console}");
        let board = json!({"type": "panda", "console": url});
        assert_eq!(server.ask("PUT", &format!("/boards/{name}"), &board).status, 200);
    }
    let identify = |board: &str, args: &[&str]| {
        let (code, told, err) =
            lava(&lab, &server, "alice", &[&["board", "identify", board], args].concat());
        (code, told + &err)
    };
    let first = ["--mac", "00:1D:7E:00:00:01", "--identity", "A1"];
    let (code, told) = identify("panda01", &first);
    assert!(code == 0 && told.contains("known by that from now on"), "{told}");
    assert_eq!(identify("panda02", &["--mac", "00:1d:7e:00:00:02"]).0, 0);
    // One address is enough, and one that anybody could have is none.
    let (code, told) =
        identify("panda01", &["--mac", "00:1d:7e:00:00:01", "--mac", "02:00:00:00:00:01"]);
    assert!(code == 0 && told.contains("the board that it was"), "{told}");
    let (code, told) = identify("panda01", &["--mac", "52:54:00:12:34:56"]);
    assert!(code == 0 && told.contains("tells nothing"), "{told}");
    assert_eq!(server.get("/boards/panda01")["health"], "unknown");

    // The consoles were plugged in the wrong way round.
    let (code, told) = identify("panda01", &["--mac", "00:1d:7e:00:00:02"]);
    let swapped =
        "it says that it is 00:1d:7e:00:00:02, which is panda02: swapped with it, or a copy";
    assert!(code == 1 && told.contains(swapped), "{told}");
    let board = server.get("/boards/panda01");
    assert_eq!(board["health"], "bad");
    assert!(board["reason"].as_str().unwrap().contains(swapped), "{board}");
    // A new board, or a copy of a card.
    let (code, told) = identify("panda02", &["--mac", "00:1d:7e:00:00:03"]);
    assert!(code == 1 && told.contains("and was 00:1d:7e:00:00:02: another board"), "{told}");
    let (_, told) = identify("panda02", &["--identity", "A1"]);
    assert!(told.contains("it says that it is A1, which is panda01"), "{told}");

    // It is kept by whoever describes the board otherwise, and goes through files.
    let folder = lab.path("boards").display().to_string();
    let run = |args: &[&str]| lava(&lab, &server, "root", args);
    assert_eq!(run(&["board", "export", &folder]).0, 0);
    let file = lab.path("boards/panda01.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let known = "mac = [\"00:1d:7e:00:00:01\"]\nidentity = \"A1\"\n";
    assert!(text.contains(known), "{text}");
    std::fs::write(&file, text.replace(known, "")).unwrap();
    let (_, told, _) = run(&["board", "apply", &folder]);
    assert_eq!(told, "all is as it is said there\n");
    assert_eq!(run(&["board", "set", "panda01", "--tag", "hdmi"]).0, 0);
    assert_eq!(server.get("/boards/panda01")["identity"], "A1");

    let (code, told) = identify("panda02", &["--mac", "00:1d:7e:00:00:03", "--accept"]);
    assert!(code == 0 && told.contains("from now on"), "{told}");
    assert_eq!(server.get("/boards/panda02")["mac"], json!(["00:1d:7e:00:00:03"]));
    let wrong = server.ask("POST", "/boards/panda02/identity", &json!({"mac": ["00:1d"]}));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    let history = server.get("/boards/panda02/history").to_string();
    assert!(history.contains("\"identity\""), "{history}");
}
