//! A phone: narrow, and without the keys that boards want.

use super::Lab;
use super::browser::Browser;

const BYTES: &str =
    "exec:sh -c 'stty raw -echo; while :; do dd bs=64 count=1 2>/dev/null | od -An -tx1; done'";

#[test]
fn a_phone_has_the_keys_it_lacks_and_nothing_wider_than_itself() {
    let lab = Lab::start(BYTES, "", "");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.resize(360, 640, true);
    page.go(&lab.url("/view/panda01"));
    page.expect("the page is connected", "document.getElementById('link').textContent === 'connected' && document.querySelector('.row')");
    let fits = "document.documentElement.scrollWidth <= 360 && document.body.scrollWidth <= 360";
    page.expect("it is no wider than the window", fits);
    page.expect("neither is a row", "document.getElementById('terminal').scrollWidth <= document.getElementById('terminal').clientWidth");
    page.click("[data-key=ArrowUp]");
    page.expect_text("1b 5b 41");
    page.click("[data-key=Control]");
    page.compose("c");
    page.expect_text("03");
    page.compose("c");
    page.expect_text("63");
    page.click("[data-key=Escape]");
    page.click("[data-key=Tab]");
    page.expect_text("09");
    page.click("#more");
    page.expect("what is beside it is no wider either", fits);
    page.go(&lab.url("/"));
    page.expect(
        "nor is the list",
        "document.querySelector('#consoles a') && document.documentElement.scrollWidth <= 360",
    );
}

#[test]
fn everything_has_a_name_and_output_is_told_to_those_who_do_not_see_it() {
    let lab =
        Lab::start("exec:sh -c 'stty -echo icrnl; while read a; do echo got $a; done'", "", "");
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    page.click("#more");
    // Everything that one can do something with says what it is.
    let nameless = "[...document.querySelectorAll('button, input, select, textarea')].filter((it) => \
                    !it.textContent.trim() && !it.getAttribute('aria-label') && !it.labels?.length).length";
    assert_eq!(page.eval(nameless), 0);
    page.eval("document.getElementById('keys').focus()");
    page.type_text("hello\r");
    page.expect(
        "it is spoken",
        "document.getElementById('speech').textContent.includes('got hello')",
    );
    page.eval(
        "(() => { window.spoken = ''; const speech = document.getElementById('speech'); \
         new MutationObserver(() => { spoken += speech.textContent }).observe(speech, { childList: true }) })()",
    );
    page.click("#speak");
    page.eval("document.getElementById('keys').focus()");
    page.type_text("quiet\r");
    page.expect_text("got quiet");
    // It is spoken a second later, if at all: a timer of the page that is due behind that one comes behind it.
    page.eval("new Promise((due) => setTimeout(due, 1100))");
    page.click("#speak");
    page.eval("document.getElementById('keys').focus()");
    page.type_text("loud\r");
    page.expect("it is spoken again", "spoken.includes('got loud')");
    assert_eq!(page.eval("spoken.includes('quiet')"), false);
}
