//! Copying: what is marked with the mouse is in the clipboard, and the board hears nothing of it.

use super::browser::{Browser, Page, until};
use super::{Lab, pair};
use crate::common::Client;

#[test]
fn what_is_marked_is_copied_and_the_board_hears_nothing_of_it() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    browser.let_use_the_clipboard(&page, &lab.url(""));
    wire.type_text("first line\r\n\r\nsecond line\r\nthe end\r\n");
    page.expect_text("the end");

    for (modifiers, keys) in [(2, "Ctrl"), (10, "Ctrl and Shift")] {
        page.eval("navigator.clipboard.writeText('nothing')");
        // From the first letter of the one to behind the last of the other.
        let (from, to) = (place(&page, "first line", 0), place(&page, "second line", 11));
        page.drag(from, to);
        assert_eq!(page.eval("String(getSelection())"), "first line\n\nsecond line");
        page.hold_and_press(modifiers, ("c", "KeyC", 67));
        until(&format!("{keys} C copies"), || {
            page.eval("navigator.clipboard.readText()") == "first line\n\nsecond line"
        });
    }
    assert_eq!(wire.heard().text(), "");
    // Who types marks nothing any more, and then it is the board's key again.
    page.type_text("x");
    wire.expect("x");
    page.hold_and_press(2, ("c", "KeyC", 67));
    wire.expect("\x03");
    assert_eq!(wire.heard().text(), "x\x03");
    assert_eq!(page.errors(), [""; 0]);
}

/// The left edge of a character of the row with this text, at half its height.
#[track_caller]
fn place(page: &Page, text: &str, at: usize) -> (f64, f64) {
    let script = format!(
        "(() => {{ const row = [...document.querySelectorAll('.row')].find((it) => it.textContent === {text:?}); \
         const range = document.createRange(); const text = row.firstChild; \
         range.setStart(text, 0); range.setEnd(text, Math.max({at}, 1)); \
         const box = range.getBoundingClientRect(); \
         return [{at} ? box.right : box.left + 1, box.top + box.height / 2] }})()"
    );
    serde_json::from_value(page.eval(&script)).unwrap()
}
