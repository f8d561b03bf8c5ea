//! One console in a browser: what the board prints is there, and what is typed gets there.

use rustix::process::Signal;

use super::browser::{Browser, Page, until};
use super::{Lab, connected, pair};
use crate::common::{Client, WebSocket, signal};

/// A shell-like board that says back what it hears, as it is.
const ECHO: &str = "exec:sh -c 'stty -echo icrnl; while read a; do echo got $a; done'";
/// One that shows every byte it is sent.
const BYTES: &str =
    "exec:sh -c 'stty raw -echo; while :; do dd bs=64 count=1 2>/dev/null | od -An -tx1; done'";

#[test]
fn what_is_typed_at_the_page_reaches_the_board_and_its_answer_is_on_the_page() {
    let lab = Lab::start(ECHO, "", "");
    let browser = Browser::start(&lab.lab);
    let list = browser.open(&lab.url("/"));
    list.expect(
        "the console is listed",
        "document.querySelector('#consoles a').textContent === 'panda01'",
    );
    list.click("#consoles a");
    connected(&list);
    let page = list;
    page.type_text("hello board\r");
    page.expect_text("got hello board");

    // It is seen, too: the letters are there, bright on dark.
    let terminal = page.eval(
        "(() => { const box = document.getElementById('screen').getBoundingClientRect(); \
         return [box.x, box.y, 200, 60].map(Math.round) })()",
    );
    let part: [u32; 4] = serde_json::from_value(terminal).unwrap();
    let picture = page.picture();
    if let Some(file) = std::env::var_os("LAVA_KEEP_PICTURE") {
        std::fs::write(file, &picture.file).unwrap();
    }
    let (dark, bright) = (picture.count(part, [16, 21, 27]), picture.count(part, [221, 227, 234]));
    assert!(dark > 6000 && bright > 100, "{dark} dark and {bright} bright pixels");
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn every_key_is_what_a_terminal_sends() {
    let lab = Lab::start(BYTES, "", "");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    let sends = |hex: &str| {
        page.expect(
            hex,
            &format!("document.getElementById('terminal').innerText.includes({hex:?})"),
        );
    };
    for (key, modifiers, hex) in [
        ("ArrowUp", 0, "1b 5b 41"),
        ("ArrowLeft", 2, "1b 5b 31 3b 35 44"),
        ("F1", 0, "1b 4f 50"),
        ("F12", 0, "1b 5b 32 34 7e"),
        ("Delete", 0, "1b 5b 33 7e"),
        ("Home", 0, "1b 5b 48"),
        ("Tab", 8, "1b 5b 5a"),
        ("Backspace", 0, "7f"),
        ("c", 2, "03"),
        ("x", 1, "1b 78"),
    ] {
        page.key(key, modifiers);
        sends(hex);
    }
    page.key("Escape", 0);
    until("Escape is a byte", || page.rows().last().is_some_and(|row| row.trim() == "1b"));
    // Dead keys and input methods give text.
    page.compose("é漢");
    sends("c3 a9 e6 bc a2");
    // Control F6 leaves the board's keyboard, for those who have no mouse.
    page.key("F6", 2);
    page.expect("the keyboard is left", "document.activeElement.id === 'mode'");
}

#[test]
fn arrows_and_pastes_are_as_the_board_asks() {
    let lab = Lab::start(
        "exec:sh -c \\\"stty raw -echo; printf '\\\\033[?1h\\\\033[?2004hready'; while :; do dd bs=64 count=1 2>/dev/null | od -An -tx1; done\\\"",
        "",
        "",
    );
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.expect_text("ready");
    page.key("ArrowUp", 0);
    page.expect_text("1b 4f 41");
    paste(&page, "a\n\u{1b}[201~b");
    page.expect_text("1b 5b 32 30 30 7e 61 0d 5b 32 30 31 7e 62 1b 5b");
}

#[test]
fn a_paste_is_lines_as_if_typed_and_nothing_else() {
    let lab = Lab::start(ECHO, "", "");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    paste(&page, "one\ntwo\u{7}\n");
    page.expect_text("got two");
    let rows = page.rows();
    let rows: Vec<&str> = rows.iter().map(|row| row.trim()).collect();
    assert_eq!(rows, ["got one", "got two"]);
}

fn paste(page: &Page, text: &str) {
    page.eval(&format!(
        "(() => {{ const data = new DataTransfer(); data.setData('text/plain', {}); \
         document.getElementById('keys').dispatchEvent(new ClipboardEvent('paste', \
         {{ clipboardData: data, bubbles: true, cancelable: true }})) }})()",
        serde_json::json!(text)
    ));
}

#[test]
fn a_restart_of_the_daemon_loses_no_line_and_shows_none_twice() {
    let (near, port) = pair();
    let mut lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    (0..60).for_each(|n| wire.type_text(&format!("line {n}\r\n")));
    page.expect_text("line 59");

    // The process becomes another one; the board goes on.
    let old = lab.serial.as_ref().unwrap();
    signal(old.pid(), Signal::USR2);
    (60..120).for_each(|n| wire.type_text(&format!("line {n}\r\n")));
    page.expect_text("line 119");

    // It is killed, and comes again; the port is opened anew.
    signal(lab.serial.as_ref().unwrap().pid(), Signal::KILL);
    lab.serial = None;
    page.expect("the page knows", "document.getElementById('link').textContent !== 'connected'");
    lab.again();
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    connected(&page);
    (120..180).for_each(|n| wire.type_text(&format!("line {n}\r\n")));
    page.expect_text("line 179");
    let all: Vec<String> = (0..180).map(|n| format!("line {n}")).collect();
    assert_eq!(page.rows(), all);
}

#[test]
fn another_size_wraps_lines_anew_and_the_past_is_in_the_record() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    // Much more than a page keeps, before anybody looks.
    let text: String = (0..30_000).map(|n| format!("line {n}\r\n")).collect();
    wire.type_text(&text);
    let probe = WebSocket::attach(lab.address, "panda01", "mode=spy&from=0");
    until("all of it is recorded", || probe.heard().len() == text.len());
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.expect_text("line 29999");
    for round in 0..4 {
        let first: usize = page.rows()[0].trim_start_matches("line ").parse().unwrap();
        page.expect(
            &format!("the record is shown, {round}"),
            &format!(
                "Number(document.querySelector('.row').textContent.slice(5)) < {first} \
                 || (document.getElementById('terminal').scrollTop = 0, false)"
            ),
        );
    }
    let rows = page.rows();
    let first: usize = rows[0].trim_start_matches("line ").parse().unwrap();
    let expected: Vec<String> = (first..30_000).map(|n| format!("line {n}")).collect();
    assert_eq!(rows, expected);

    wire.type_text(&format!("{}\r\n", "x".repeat(60)));
    page.resize(400, 500, false);
    page.expect("the long line has two rows", "[...document.querySelectorAll('#screen .row')].some((row) => /^x{1,59}$/.test(row.textContent))");
}

#[test]
fn a_spy_cannot_type_and_sees_who_else_is_there() {
    let lab = Lab::start(ECHO, "", "");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.eval("(() => { const mode = document.getElementById('mode'); mode.value = 'spy'; mode.dispatchEvent(new Event('change')) })()");
    page.expect("it only looks", "document.getElementById('mode').value === 'spy'");
    page.eval("document.getElementById('keys').focus()");
    page.type_text("secret\r");
    page.expect(
        "it is told",
        "document.getElementById('notice').textContent.includes('only look')",
    );

    let bob = WebSocket::attach(lab.address, "panda01", "mode=exclusive&user=bob");
    page.expect(
        "bob is seen",
        "document.getElementById('people').textContent.includes('bob has it alone')",
    );
    bob.type_text("hi\n");
    page.expect_text("got hi");
    assert_eq!(page.rows(), ["got hi"]);

    // By force the console is its own.
    page.click("#force");
    page.expect("it has the console", "!document.getElementById('release').hidden");
    bob.expect_message("bob looks", |message| {
        message["type"] == "mode" && message["mode"] == "spy"
    });
    page.eval("document.getElementById('keys').focus()");
    page.type_text("mine\r");
    page.expect_text("got mine");

    // Messages go both ways.
    bob.ask(r#"{"id":1,"request":"message","text":"hello <b>there</b>"}"#);
    page.expect(
        "bob's message",
        "document.getElementById('events').textContent.includes('hello <b>there</b>')",
    );
    page.click("#more");
    page.eval("document.getElementById('text').value = 'bye'");
    page.click("#say button");
    bob.expect_message("the page's message", |message| {
        message["kind"] == "message" && message["text"] == "bye"
    });
}
