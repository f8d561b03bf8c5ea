//! The verbs of `lava` by ssh.

use super::{SshLab, text, told};
use crate::common::{Client, LIMIT, TestLab, wait_until};

/// A lab of virtual boards with power, and `lava-ssh` before it.
fn demo() -> SshLab {
    let lab = TestLab::new();
    let dir = lab.path("demo").display().to_string();
    let demo = lab.start("lava", ["demo", "--dir", &dir]);
    let mut ssh = SshLab::beside(lab, demo, "");
    assert!(ssh.ssh.terminate().success());
    let text = std::fs::read_to_string(&ssh.file).unwrap();
    let lab = format!("host_key = \"host_key\"\nlab = \"{dir}/lab.toml\"");
    let text = text.replace("host_key = \"host_key\"", &lab);
    std::fs::write(&ssh.file, text).unwrap();
    ssh.ssh = ssh.lab.start("lava-ssh", ["--config", &ssh.file]);
    ssh
}

#[test]
fn a_board_is_reset_from_afar_and_everybody_at_it_is_told() {
    let lab = demo();
    let mut alice = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected to panda01");
    let done = |words: &[&str], word: &str| {
        let (code, out, err) = told(&lab.run(words, ""));
        assert_eq!(code, Some(0), "{words:?}: {out}{err}");
        assert!(out.contains("panda01") && out.contains(word), "{words:?}: {out}");
    };
    done(&["lab", "on", "panda01"], "on");
    done(&["lab", "reset", "panda01"], "on");
    alice.expect("(user:alice) initiated a hard reset");
    alice.expect("U-Boot");
    done(&["lab", "panda01", "status"], "on");
    done(&["lab", "power", "off", "panda01"], "off");
    let (code, out, _) = told(&lab.run(&["lab", "log", "panda01", "--since", "10m"], ""));
    assert_eq!(code, Some(0));
    assert!(out.contains("U-Boot"), "{out}");
    let (_, out, _) = told(&lab.run(&["lab", "power", "history", "panda01"], ""));
    assert!(out.contains("alice"), "{out}");
}

#[test]
fn verbs_have_the_grammar_and_the_exit_codes_of_lava() {
    let lab = SshLab::start("");
    let (code, out, err) = told(&lab.run(&["lab", "help"], ""));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("ssh panda01@LAB") && out.contains("boards"), "{out}");
    let (code, out, _) = told(&lab.run(&["lab", "boards", "--json"], ""));
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &rows[1]["board"]), (Some(0), &"panda02".into()));
    let mut alice = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected");
    let (_, out, _) = told(&lab.run(&["lab", "who"], ""));
    assert!(out.contains("alice") && out.contains("127.0.0.1"), "{out}");
    let (code, _, err) = told(&lab.run(&["lab", "break", "panda01"], ""));
    // A program on a pty cannot be sent one; that is the daemon's answer.
    assert!(code == Some(1) && err.contains("carries no break"), "{err}");
    let (code, _, err) = told(&lab.run(&["lab", "log", "nosuch"], ""));
    assert_eq!(code, Some(2));
    assert!(err.contains("there is no board \"nosuch\" here"), "{err}");
    for host in [
        &["lab", "boards", "--lab", "/etc/passwd"][..],
        &["lab", "demo"],
        &["lab", "cat", "/etc/passwd"],
    ] {
        let (code, out, err) = told(&lab.run(host, ""));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{host:?}: {err}");
        assert!(!err.contains("root:"), "{err}");
    }
    // As a terminal wants its lines.
    let said = lab.run(&["-tt", "lab", "boards"], "");
    assert!(text(&said.stdout).contains("panda01") && text(&said.stdout).contains("\r\n"));
}

#[test]
fn without_a_word_and_as_top_there_is_the_tui() {
    let lab = SshLab::start("");
    let mut alice = Client::in_terminal(&mut lab.ssh(&["-t", "lab"]));
    alice.expect("panda01");
    alice.expect("panda02");
    alice.type_text("q");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    // By its name it takes boards, and shows no others.
    let mut alice = Client::in_terminal(&mut lab.ssh(&["-t", "lab", "top", "panda02"]));
    alice.expect("panda02");
    alice.type_text("q");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    assert!(!alice.heard().text().contains("panda01"));
    let (code, _, err) = told(&lab.run(&["lab", "top"], ""));
    assert!(code == Some(2) && err.contains("top needs a terminal"), "{err}");
}

#[test]
fn the_tui_has_the_hosts_keys() {
    let lab = SshLab::start("");
    lab.lab.write("top.toml", "[keys]\nquit = \"x\"\n");
    let text = std::fs::read_to_string(&lab.file).unwrap();
    let key = "host_key = \"host_key\"\n";
    lab.reload(&text.replace(key, &format!("{key}top = \"top.toml\"\n")));
    let mut alice = Client::in_terminal(&mut lab.ssh(&["-t", "lab"]));
    alice.expect("panda02");
    alice.type_text("x");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    // What is wrong with it is told where it is read.
    lab.lab.write("top.toml", "[keys]\nquit = \"pgup\"\n");
    let checked = lab.lab.run("lava-ssh", ["--config", &lab.file, "--check"], "");
    let (code, _, err) = told(&checked);
    assert!(code == Some(2) && err.contains("top.toml:2:8: keys.quit"), "{err}");
}

#[test]
fn what_is_interrupted_ends_with_130() {
    let lab = SshLab::start("");
    let mut alice = Client::in_terminal(&mut lab.ssh(&["-t", "lab", "watch", "panda01"]));
    wait_until(LIMIT, "alice watches", || lab.serial_sessions("panda01") == 1);
    let mut bob = Client::in_pipes(&mut lab.ssh(&["lab", "panda01"]));
    bob.type_text("to see\n");
    alice.expect("got to see");
    alice.type_text("\x03");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(130));
}
