//! What a board prints, and what people call themselves, is text and nothing else.

use super::browser::{Browser, until};
use super::{Lab, pair};
use crate::common::{Client, WebSocket};

#[test]
fn hostile_bytes_and_names_do_no_harm() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);

    // Markup, questions a terminal would answer, titles, the clipboard, resets, no UTF-8.
    wire.type_text("<img src=x onerror='document.title=1'><script>document.title=2</script>\r\n");
    wire.type_bytes(
        b"\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1b[c\x05\x1bZ\x1b]11;?\x07\x1b[18t",
    );
    wire.type_bytes(
        b"\xff\xfe\xc0\x80\x1bP+q544e\x1b\\\x1b[99999;99999H\x1b[99999S\x1b[?1049h\x1bc",
    );
    wire.type_bytes("\u{202e}right-to-left\u{2028}\r\n".as_bytes());
    wire.type_text("still here\r\n");
    page.expect_text("still here");
    assert_eq!(page.eval("document.title"), "panda01");
    assert_eq!(page.eval("document.querySelectorAll('#terminal img, #terminal script').length"), 0);

    let name = "%3Cb%3Eeve%3C%2Fb%3E%3Cimg%20src%3Dx%3E";
    let eve = WebSocket::attach(lab.address, "panda01", &format!("mode=rw&user={name}"));
    page.expect(
        "eve is shown as text",
        "document.getElementById('people').textContent.includes('<b>eve</b><img src=x>')",
    );
    let list = browser.open(&lab.url("/"));
    list.expect(
        "eve is listed as text",
        "document.getElementById('consoles').textContent.includes('<b>eve</b>')",
    );
    for page in [&page, &list] {
        assert_eq!(page.eval("document.querySelectorAll('b, img').length"), 0);
    }
    // Nothing that the board asked was answered: all that it hears is what is typed.
    eve.type_text("typed");
    wire.expect("typed");
    assert_eq!(wire.heard().text(), "typed");
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn a_flood_and_a_line_without_end_leave_the_page_with_what_came_last() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    let browser = Browser::start(&lab.lab);
    let page = lab.console(&browser);
    let endless = "x".repeat(10 << 20);
    wire.type_text(&endless);
    (0..100_000).for_each(|n| wire.type_text(&format!("\x1b[3{}m{n}\r\n", n % 8)));
    wire.type_text("\x1b[0mthe end\r\n");
    page.expect_text("the end");
    let rows = page.eval("document.querySelectorAll('.row').length").as_u64().unwrap();
    assert!(rows < 6000, "{rows} rows are kept");
}

#[test]
fn a_page_that_does_not_read_costs_nobody_anything() {
    let (near, port) = pair();
    let lab = Lab::start(&port, "", "");
    let (stream, _) = near.accept().unwrap();
    let mut wire = Client::on(stream);
    // It asks for the screen, and reads nothing of it.
    use std::io::{Read as _, Write as _};
    let mut stopped = std::net::TcpStream::connect(lab.address).unwrap();
    let request = "GET /consoles/panda01/screen?rows=100&cols=400 HTTP/1.1\r\nhost: localhost\r\n\
                   connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stopped.write_all(request.as_bytes()).unwrap();
    stopped.read_exact(&mut [0; 12]).unwrap();
    let alice = WebSocket::attach(lab.address, "panda01", "mode=rw");
    let before = lab.serial.as_ref().unwrap().memory();
    let text: String = (0..400_000).map(|n| format!("{n} {}\r\n", "y".repeat(60))).collect();
    wire.type_text(&text);
    wire.type_text("the end\r\n");
    until("alice has all of it", || alice.heard().len() == text.len() + 9);
    let grown = lab.serial.as_ref().unwrap().memory().saturating_sub(before);
    assert!(grown < 24 << 20, "it has grown by {grown} bytes");
}
