//! A person presses Tab, in the real shells.

use super::{Rack, lava, programs};
use crate::common::{Client, LIMIT, TestLab, run};

/// A shell at a terminal, with our completions.
fn shell(lab: &TestLab, words: &[&str]) -> Client {
    let mut command = lab.tool(words[0]);
    let path = format!("{}:{}", programs(), std::env::var("PATH").unwrap());
    command.args(&words[1..]).env("PATH", path).env("PS1", "ready> ").env_remove("ENV");
    Client::in_terminal(&mut command)
}

/// Types a board's beginning and Tab, and has the shell run what it has made of it.
fn completes(shell: &mut Client) {
    // It is asked for its power, and has an outlet.
    shell.type_text("lava status panda01 && lava off pan\t2\r");
    shell.expect("panda02 is off");
    shell.type_text("lava-console --sp\tpanda02 </dev/null; echo ended=$?\r");
    shell.expect("ended=0");
    shell.type_text("lava rel\t--force --reason x panda01\r");
    shell.expect("panda01: nobody had it");
}

#[test]
fn bash_completes_verbs_options_and_boards() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let mut bash = shell(&lab, &["bash", "--norc", "--noprofile", "-i"]);
    bash.type_text("source <(lava completions bash); echo sourced=$?\r");
    bash.expect("sourced=0");
    completes(&mut bash);
}

#[test]
fn zsh_completes_verbs_options_and_boards() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let mut zsh = shell(&lab, &["zsh", "-f", "-i"]);
    zsh.type_text(
        "autoload -U compinit; compinit -u; source <(lava completions zsh); echo sourced=$?\r",
    );
    zsh.expect("sourced=0");
    completes(&mut zsh);
}

#[test]
fn fish_completes_verbs_options_and_boards() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let mut fish = shell(&lab, &["fish", "--no-config", "-i"]);
    fish.type_text("lava completions fish | source; echo sourced=$status\r");
    fish.expect("sourced=0");
    // The common beginning first, then what is left is typed.
    fish.type_text("lava off pan\t2\r");
    fish.expect("panda02 is off");
}

#[test]
fn a_lab_that_cannot_be_asked_completes_nothing_and_says_nothing() {
    let lab = TestLab::new();
    lab.write("broken.toml", "[[board]\n");
    for env in ["broken.toml", "absent.toml"] {
        let mut asked = lab.program("lava");
        asked
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2")
            .env("LAVA_LAB", lab.path(env));
        let output = run(asked.args(["--", "lava", "watch", ""]), "", LIMIT);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && told.is_empty(), "{told}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("panda"));
    }
    let (code, _, told) = lava(&lab, &["completions", "tcsh"]);
    assert!(code == 2 && told.contains("bash, zsh, fish"), "{told}");
}
