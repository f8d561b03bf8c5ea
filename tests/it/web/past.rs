//! What is above the screen: as much of it as is good for a browser, and the record for those who look.

use super::browser::{Browser, Page, until};
use super::{Lab, connected, pair};
use crate::common::{Client, WebSocket};

/// How many rows a page keeps that nobody reads in, and how many go with one drawing at most.
const MOST: u64 = 4000 + 400;

#[test]
fn steady_output_lets_rows_go_and_who_reads_keeps_what_they_read() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    // Less at a time than what a page is told to fetch from the record.
    for begin in (0..5000).step_by(250) {
        (begin..begin + 250).for_each(|n| wire.type_text(&format!("line {n}\r\n")));
        shows(&page, &format!("line {}", begin + 249));
    }
    let kept = || page.eval("document.querySelectorAll('.row').length").as_u64().unwrap();
    assert!(kept() < MOST, "{} rows are kept", kept());

    // Somebody reads, and more than is told comes at once.
    page.eval("document.getElementById('terminal').scrollTop = 1000");
    let seen = "(() => { const top = document.getElementById('terminal').scrollTop; \
                return [...document.querySelectorAll('.row')].find((row) => row.offsetTop >= top).textContent })()";
    page.expect("it is not at its end", "!document.getElementById('latest').hidden");
    let read = page.eval(seen);
    let flood: String = (5000..8000).map(|n| format!("line {n}\r\n")).collect();
    wire.type_text(&flood);
    shows(&page, "line 7999");
    assert_eq!(page.eval(seen), read);
    page.expect("there is a gap", "!document.getElementById('gap').hidden");
    // Who goes on reading comes to the screen, and has missed nothing.
    until("what was between is there", || {
        page.eval("document.getElementById('gap').scrollIntoView({ block: 'end' })");
        page.eval("document.getElementById('gap').hidden") == true
    });
    (8000..8100).for_each(|n| wire.type_text(&format!("line {n}\r\n")));
    shows(&page, "line 8099");
    let rows = page.rows();
    let first: usize = rows[0].trim_start_matches("line ").parse().unwrap();
    let expected: Vec<String> = (first..8100).map(|n| format!("line {n}")).collect();
    assert_eq!(rows, expected);
    page.click("#latest");
    wire.type_text("line 8100\r\n");
    shows(&page, "line 8100");
    page.expect(
        "who has seen it all keeps no more than others",
        &format!("document.querySelectorAll('.row').length < {MOST}"),
    );
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn the_record_is_looked_back_into_from_a_screen_that_was_wiped_and_from_a_line_without_end() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let text: String = (0..2000).map(|n| format!("line {n}\r\n")).collect();
    wire.type_text(&text);
    wire.type_text("\x1bcfresh\r\n");
    let probe = WebSocket::attach(lab.address, "panda01", "mode=spy&from=0");
    until("all of it is recorded", || probe.heard().len() == text.len() + 9);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    shows(&page, "fresh");
    // There is nothing to scroll, and nobody has to.
    page.expect_text("line 1999");

    // Rows of a line that has begun so long ago that the page was not told where.
    let endless = "x".repeat(200_000);
    wire.type_text(&endless);
    wire.type_text("END");
    shows(&page, "END");
    page.expect(
        "what came before it is there",
        "(document.getElementById('terminal').scrollTop = 0, \
         [...document.querySelectorAll('.row')].some((row) => row.textContent === 'line 1999'))",
    );
}

/// Waits until the screen itself shows a text.
#[track_caller]
fn shows(page: &Page, text: &str) {
    connected(page);
    let script = format!("document.getElementById('screen').textContent.includes({text:?})");
    page.expect(&format!("the screen shows {text:?}"), &script);
}
