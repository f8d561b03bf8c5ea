//! Boards are put together from what daemons announce.

use super::{Rack, Server, lava};
use crate::common::{LIMIT, TestLab, run};

#[test]
fn a_board_is_put_together_from_what_is_announced_and_found_by_its_name() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::start(&lab, &server);
    let both = |all: &serde_json::Value| all.as_array().is_some_and(|all| all.len() == 2);
    server.until("both consoles are announced", "/consoles", both);
    server.until("both outlets are announced", "/outlets", both);
    let (_, free, _) = lava(&lab, &server, "root", &["board", "free"]);
    assert!(free.contains("console  farm1/panda01\n") && free.contains("outlet   farm1/panda02\n"));
    let args = ["board", "add", "panda01", "--type", "panda", "--tag", "hdmi"];
    let (code, out, err) = lava(&lab, &server, "root", &args);
    assert!(
        code == 0 && out.contains("panda01 is a panda, console http://127.0.0.1:"),
        "{out}{err}"
    );
    // By its place at the PDU, and by another name than its console's.
    let args = ["board", "add", "desk", "--type", "panda", "--console", "farm1/panda02"];
    let (code, out, err) =
        lava(&lab, &server, "root", &[&args[..], &["--outlet", "rack1/2"]].concat());
    assert!(code == 0 && out.contains("/outlets/panda02"), "{out}{err}");
    let args = ["board", "add", "other", "--type", "panda", "--outlet", "farm1/panda02"];
    let (code, _, err) = lava(&lab, &server, "root", &args);
    assert!(code == 4 && err.contains("farm1/panda02 is the outlet of desk already"), "{err}");

    let (code, out, err) = lava(&lab, &server, "alice", &["on", "desk"]);
    assert!(code == 0 && out.contains("panda02 is on"), "{out}{err}");
    let mut console = lab.program("lava-console");
    console.args(["desk", "--server", &server.url()]);
    let typed = run(&mut console, "~$status\n", LIMIT);
    let told = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success() && told.contains("Connected to desk"), "{told}");
    let (code, _, err) = lava(&lab, &server, "alice", &["on", "dseks"]);
    assert!(code == 2 && err.contains("did you mean \"desk\"?"), "{err}");

    let (_, out, _) = lava(&lab, &server, "alice", &["board", "list"]);
    assert!(out.contains("desk     panda  idle      unknown"), "{out}");
    let args = ["board", "health", "bad", "desk", "--reason", "no SD card"];
    assert_eq!(lava(&lab, &server, "root", &args).0, 0);
    let (_, out, _) = lava(&lab, &server, "alice", &["board", "show", "desk"]);
    assert!(out.contains("health      bad\nreason      no SD card\n"), "{out}");
}

#[test]
fn a_board_that_was_there_first_gets_what_is_announced_by_its_name() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let root = |args: &[&str]| lava(&lab, &server, "root", args);
    let (code, _, err) = root(&["board", "add", "panda01", "--type", "panda"]);
    assert!(code == 0 && err.contains("it has no console and no outlet yet"), "{err}");
    // Not from a board that has it already.
    let (code, _, err) =
        root(&["board", "add", "desk", "--type", "panda", "--console", "farm1/panda02"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(root(&["board", "add", "panda02", "--type", "panda"]).0, 0);
    lab.write("boards/panda01.toml", "type = \"panda\"\n");
    let folder = lab.path("boards").display().to_string();
    let _rack = Rack::start(&lab, &server);
    server.until("it has both", "/boards/panda01", |board| {
        board["console"] == "panda01" && board["outlet"] == "panda01"
    });
    server.until("the other one has its outlet, too", "/boards", |boards| {
        boards[0]["name"] == "desk" && boards[0]["away"].is_null()
    });
    let panda02 = server
        .until("that is all it gets", "/boards/panda02", |board| board["outlet"] == "panda02");
    assert!(panda02["console"].is_null(), "{panda02}");
    // A file that does not say so takes nothing away.
    assert_eq!(root(&["board", "apply", &folder]).1, "all is as it is said there\n");
    assert_eq!(root(&["board", "set", "panda01", "--tag", "hdmi"]).0, 0);
    assert_eq!(root(&["board", "apply", &folder]).1, "panda01: changed\n");
    assert_eq!(server.get("/boards/panda01")["outlet"], "panda01");
}

#[test]
fn the_boards_are_kept_as_a_folder_of_files() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let boards = lab.path("boards");
    let folder = boards.to_str().unwrap();
    lab.write(
        "boards/panda01.toml",
        "type = \"panda\"\ntags = [\"hdmi\"]\n[attributes]\nram = \"1GB\"\n",
    );
    lab.write("boards/panda02.toml", "type = \"panda\"\nconsole = \"farm1/panda02\"\n");
    let apply =
        |more: &[&str]| lava(&lab, &server, "root", &[&["board", "apply", folder], more].concat());
    let (code, out, err) = apply(&["--dry-run"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "panda01: would be added\npanda02: would be added\n"),
        "{err}"
    );
    assert_eq!(server.get("/boards"), serde_json::json!([]));
    assert_eq!(apply(&[]).1, "panda01: added\npanda02: added\n");
    assert_eq!(apply(&[]).1, "all is as it is said there\n");
    assert_eq!(
        server.get("/boards/panda02")["away"],
        "no daemon has announced console farm1/panda02"
    );

    let set = ["board", "set", "panda01", "--attribute", "ram=2GB", "--without", "hdmi"];
    assert_eq!(lava(&lab, &server, "root", &set).0, 0);
    let (code, _, err) = lava(&lab, &server, "root", &["board", "export", folder]);
    assert_eq!(code, 0, "{err}");
    let text = std::fs::read_to_string(boards.join("panda01.toml")).unwrap();
    assert_eq!(text, "type = \"panda\"\n\n[attributes]\n\"ram\" = \"2GB\"\n");
    std::fs::remove_file(boards.join("panda02.toml")).unwrap();
    assert_eq!(apply(&["--remove"]).1, "panda02: removed\n");
    // A file of a board that the lab does not have would bring it back: that is told, or it goes.
    lab.write("boards/panda02.toml", "type = \"panda\"\n");
    let export =
        |more: &[&str]| lava(&lab, &server, "root", &[&["board", "export", folder], more].concat());
    let (code, out, err) = export(&[]);
    assert!(code == 0 && !out.contains("panda02"), "{out}{err}");
    assert!(err.contains("files of others stay there: panda02: "), "{err}");
    let (code, out, err) = export(&["--remove"]);
    assert!(code == 0 && out.ends_with("taken away: panda02\n"), "{out}{err}");
    assert!(!boards.join("panda02.toml").exists() && boards.join("panda01.toml").exists());
    assert_eq!(export(&["--remove"]).2, "");
    lab.write("boards/panda03.toml", "tpye = \"panda\"\n");
    let (code, _, err) = apply(&[]);
    assert!(code == 2 && err.contains("panda03.toml:1:1: unknown key \"tpye\""), "{err}");
}
