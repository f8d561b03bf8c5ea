//! Servers that stand by: any of them answers anybody, and none lets in whom the one with the lab would not.

use std::io::Write as _;
use std::net::{IpAddr, TcpStream, UdpSocket};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, client};

use super::python::{PIECES, SCRIPT, python};
use super::{Rack, Server, lava};
use crate::common::postgres::Postgres;
use crate::common::{Heard, LIMIT, Pki, TestLab, http_unix, http_with, run, wait_until};

/// The folder of the images of all of them.
const SHARED: &str = "[images]\nplace = \"shared\"\n";

/// A server with a folder of its own on a database, and a file with these lines.
fn start(lab: &TestLab, postgres: &Postgres, name: &str, lines: &str) -> Server {
    let config = lab.write(&format!("{name}.toml"), &format!("{lines}{SHARED}"));
    let (dir, url) = (lab.path(name).display().to_string(), postgres.url());
    let args = ["--database", &url, "--dir", &dir, "--config", &config];
    let daemon = lab.start("lava-server", args);
    Server { address: daemon.address("http"), daemon }
}

const LOOPBACK: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";

/// Whether a server that stands by says so of itself.
fn stands_by(server: &Server) -> bool {
    server.ask("GET", "/healthz", &Value::Null).status == 503
}

#[test]
fn who_knows_only_a_server_that_stands_by_has_the_lab_and_keeps_it_when_the_other_one_dies() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let mut first = start(&lab, &postgres, "first", LOOPBACK);
    let second = start(&lab, &postgres, "second", LOOPBACK);
    assert!(stands_by(&second));
    // Daemons, people and scripts know the second one alone.
    let rack = Rack::with_boards(&lab, &second);
    let printed = python(&lab, &second, &["-c", SCRIPT]);
    assert!(printed.contains("now bob") && printed.contains("free True"), "{printed}");
    let store = lab.path("shared").display().to_string();
    let printed = python(&lab, &second, &["-c", PIECES, &second.url(), &store]);
    assert!(printed.contains("cut: 3 went on: True") && printed.contains("damaged: "), "{printed}");
    let part = http_with(second.address, "GET", "/images/none/content", "range: bytes=1-\r\n", "");
    assert_eq!(part.status, 404, "{}", part.text());

    let (code, out, err) = lava(&lab, &second, "alice", &["reserve", "name=panda01"]);
    assert!(code == 0 && out.contains("panda01"), "{out}{err}");
    let follow = |what: &str| {
        let mut stream = TcpStream::connect(second.address).unwrap();
        write!(stream, "GET {what} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let heard = Heard::from(stream);
        heard.find(LIMIT, 0, b"200 OK").unwrap();
        heard
    };
    let news = follow("/events");
    let url = format!("ws://{}/boards/panda01/console/attach?mode=rw&user=alice", second.address);
    let stream = TcpStream::connect(second.address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let (mut console, _) = client(url.into_client_request().unwrap(), stream).unwrap();
    console.send(Message::binary(b"hello through two\r".to_vec())).unwrap();
    let mut heard = String::new();
    while !heard.contains("hello through two") {
        if let Message::Binary(bytes) = console.read().unwrap() {
            heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert_eq!(lava(&lab, &second, "alice", &["extend", "panda01", "--for", "1h"]).0, 0);
    assert_eq!(lava(&lab, &second, "bob", &["reserve", "name=panda02"]).0, 0);
    news.find(LIMIT, 0, br#""about":"board","id":"panda02","what":"reserved""#).unwrap();

    first.daemon.kill();
    // What was followed breaks off, and is not over; then the same address has the lab itself.
    wait_until(LIMIT, "the events break off", || news.ended());
    assert!(!news.text().ends_with("0\r\n\r\n"), "{}", news.text());
    second.until("it has the lab", "/boards/panda01", |it| it["lease"]["holder"] == "alice");
    wait_until(LIMIT, "it says so", || !stands_by(&second));
    assert_eq!(lava(&lab, &second, "alice", &["release", "panda01"]).0, 0);
    second.until("its daemons go on", "/boards/panda01", |it| it["away"].is_null());
    drop(rack);
}

#[test]
fn nobody_is_let_in_through_a_server_that_stands_by_for_where_that_one_is() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    // Whoever is on its host may do everything with the first; the second is open to the network.
    let first = start(&lab, &postgres, "first", LOOPBACK);
    let open = "[http]\nlisten = \"0.0.0.0:0\"\ninsecure = true\n";
    let mut second = start(&lab, &postgres, "second", open);
    second.address.set_ip(IpAddr::from([127, 0, 0, 1]));
    let ask = |server: &Server, header: &str| {
        http_with(server.address, "GET", "/boards", header, "").status
    };
    assert_eq!((ask(&first, ""), ask(&second, "")), (200, 200));
    assert_eq!(http_unix(second.daemon.told("socket").as_ref(), "GET", "/boards", "").status, 200);
    for header in [
        "x-forwarded-for: 192.0.2.7\r\n",
        "forwarded: for=192.0.2.7\r\n",
        "forwarded: for=192.0.2.7\r\nconnection: forwarded\r\n",
        "via: 1.1 proxy\r\n",
    ] {
        assert_eq!((ask(&first, header), ask(&second, header)), (401, 401), "{header}");
    }
    let on_unix = first.daemon.told("socket").to_owned();
    assert_eq!(http_unix(on_unix.as_ref(), "GET", "/boards", "").status, 200);
    // What has gone through one that stands by goes through no other one.
    let looped = http_with(second.address, "GET", "/boards", "via: 1.1 lava-standby\r\n", "");
    assert_eq!(looped.status, 503, "{}", looped.text());
    assert_eq!(looped.header("retry-after"), Some("2"));
    // Somebody of another host.
    if let Some(own) = address_of_the_network() {
        second.address.set_ip(own);
        let refused = http_with(second.address, "GET", "/boards", "", "");
        assert_eq!(refused.status, 401, "{}", refused.text());
        let forged = "forwarded: for=127.0.0.1\r\nx-forwarded-for: 127.0.0.1\r\n";
        assert_eq!(ask(&second, forged), 401);
        second.address.set_ip(IpAddr::from([127, 0, 0, 1]));
    }

    // One that could be read along with is none to be passed on through.
    let plain = lab.write("plain.toml", &format!("[http]\nlisten = \"0.0.0.0:0\"\n{SHARED}"));
    let (dir, url) = (lab.path("plain").display().to_string(), postgres.url());
    let args = ["--database", &url, "--dir", &dir, "--config", &plain];
    let refused = run(lab.program("lava-server").args(args), "", LIMIT);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(2) && told.contains("could be read on the way"),
        "{told}"
    );
}

/// An address of this host that is not loopback, when there is one.
fn address_of_the_network() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn tokens_pass_through_a_server_that_stands_by_and_certificates_do_not() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let ca = Pki::new(&lab, "ca");
    ca.server("server");
    ca.client("farm1");
    let lines = "[http]\nlisten = \"127.0.0.1:0\"\ncert = \"server.pem\"\nkey = \"server.key\"\n\
                 client_ca = \"ca.pem\"\n[daemons]\nca = \"ca.pem\"\n\
                 [[certificate]]\nname = \"farm1\"\ncontrol = \"*\"\n";
    let first = start(&lab, &postgres, "first", lines);
    let second = start(&lab, &postgres, "second", lines);
    let on_unix = |server: &Server, method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http_unix(server.daemon.told("socket").as_ref(), method, path, &body)
    };
    let alice = json!({"rights": [["*", "control"]]});
    let told = on_unix(&first, "PUT", "/users/alice", &alice).json();
    let token = told["token"]["token"].as_str().unwrap();
    let curl = |server: &Server, args: &[&str]| {
        let mut curl = lab.tool("curl");
        let url = format!("https://127.0.0.1:{}/whoami", server.address.port());
        curl.args(["-sS", "--cacert"]).arg(lab.path("ca.pem")).args(args).arg(url);
        String::from_utf8(run(&mut curl, "", LIMIT).stdout).unwrap()
    };
    let shows = format!("authorization: Bearer {token}");
    for server in [&first, &second] {
        let who = curl(server, &["-H", &shows]);
        assert!(who.contains(r#""user":"alice""#), "{who}");
        assert!(curl(server, &["-H", "authorization: Bearer lava_x"]).contains("nobody here has"));
    }
    let [cert, key] = ["farm1.pem", "farm1.key"].map(|file| lab.path(file).display().to_string());
    let certificate = ["--cert", cert.as_str(), "--key", key.as_str()];
    let who = curl(&first, &certificate);
    assert!(who.contains(r#""user":"farm1""#), "{who}");
    for refused in
        [curl(&second, &certificate), on_unix(&second, "GET", "/whoami", &Value::Null).text()]
    {
        assert!(
            refused.contains("knows you by a token alone") && refused.contains(&first.https()),
            "{refused}"
        );
    }
}

impl Server {
    fn https(&self) -> String {
        format!("https://{}", self.address)
    }
}
