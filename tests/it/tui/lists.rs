//! The list of the boards: what it shows, and power from there.

use super::{ECHO, Lab};
use crate::common::{LIMIT, http, wait_until};

#[test]
fn the_boards_are_listed_filtered_sorted_and_resized() {
    let lab = Lab::start(&[("apu01", ECHO), ("panda01", ECHO), ("panda02", ECHO)]);
    lab.lease("panda02", "bob");
    let top = lab.top((110, 20), "");
    let screen = top.wait("all there is to know", |screen| {
        screen.contains("3 boards, by name")
            && screen.matches("=>").count() == 3
            && screen.matches("  off ").count() == 3
            && screen.contains("bob")
    });
    let line = |screen: &str, name: &str| {
        screen.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned()
    };
    assert!(line(&screen, "panda02").contains("bob"), "{screen}");
    assert!(!line(&screen, "panda01").contains("bob"), "{screen}");

    top.type_text("/pan");
    let screen = top.see("2 of 3 boards");
    assert!(!screen.contains("apu01") && screen.contains("filter: pan"), "{screen}");
    top.keys(&["Enter"]);
    top.keys(&["s"]);
    top.see("by activity");
    // Who has printed last comes first.
    wait_until(LIMIT, "panda02 is first", || {
        let send = r#"{"user":"bob","text":"hello\n"}"#;
        http(lab.http(), "POST", "/consoles/panda02/send", send);
        top.screen().lines().nth(2).is_some_and(|line| line.contains("panda02"))
    });
    top.resize(70, 10);
    top.wait("a narrower list", |screen| {
        screen.lines().count() == 10 && screen.contains("panda01") && !screen.contains("RATE")
    });
    top.keys(&["q"]);
    assert_eq!(top.ended(), "0");
}

#[test]
fn power_is_confirmed_refused_for_who_holds_the_board_and_forced_with_a_reason() {
    let lab = Lab::pandas();
    lab.lease("panda01", "bob");
    let top = lab.top((100, 24), "'panda*'");
    top.wait("the boards", |screen| screen.matches("=>").count() == 2);
    top.keys(&["p"]);
    top.see("o on   f off   c cycle");
    top.keys(&["o"]);
    top.see("on: really?");
    top.keys(&["y"]);
    top.see("panda01 is leased by bob since");
    top.keys(&["Enter"]);
    top.type_text("it smokes");
    top.see("reason: it smokes");
    top.keys(&["Enter"]);
    top.see("panda01 is on (read back from the PDU");
    let history = lab.lab.run("lava", ["power", "history", "panda01"], "");
    let history = String::from_utf8_lossy(&history.stdout).into_owned();
    assert!(history.contains("it smokes") && history.contains("alice"), "{history}");
    // Nobody holds the other one.
    top.keys(&["Down", "p", "o", "y"]);
    top.see("panda02 is on (read back from the PDU");
    // The timeline has it, and so has the list.
    top.keys(&["t"]);
    top.see("(user:alice) initiated a power on");
    top.keys(&["Escape"]);
    top.wait("both are on", |screen| screen.matches("  on ").count() == 2);
}

#[test]
fn a_daemon_that_goes_away_greys_its_boards_and_comes_back_by_itself() {
    let Lab { lab, config, mut serial, power: _power } = Lab::pandas();
    let top = super::top_in(&lab, (100, 12), "");
    top.wait("the boards", |screen| screen.matches("=>").count() == 2);
    serial.kill();
    top.see("2 away");
    // However often it is looked which boards there are: one that nobody knows yet is found, and those of
    // the daemon that is away are what they were.
    let other = format!(
        "[capture]\ndir = \"{}\"\n[[console]]\nname = \"panda03\"\n\
         port = \"exec:sh -c 'echo here is another; cat'\"\n",
        lab.path("another").display()
    );
    let other = lab.start("lava-serial", ["--config", &lab.write("another.toml", &other)]);
    let screen = top.see("here is another");
    assert!(screen.contains("3 boards, 2 away") && screen.matches("=>").count() == 2, "{screen}");
    let _serial = lab.start("lava-serial", ["--config", &config]);
    top.wait("they are back", |screen| {
        screen.contains("3 boards, by name") && screen.matches("=>").count() == 2
    });
    drop(other);
    top.see("1 away");
    // Whoever looks does not want to see what is gone.
    top.keys(&["u"]);
    top.see("2 boards, by name");
}
