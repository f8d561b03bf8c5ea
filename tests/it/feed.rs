//! `GET /feed`: all consoles at a glance, in one request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::common::{Client, LIMIT, TestLab, http, http_as, wait_until};
use crate::rights::{token, user};

/// Somebody who follows a feed.
struct Feed(BufReader<TcpStream>);

impl Feed {
    fn of(address: SocketAddr, token: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request = format!("GET /feed?every=100ms HTTP/1.1\r\nhost: {address}\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next object that is so.
    #[track_caller]
    fn find(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            let length = self.0.read_line(&mut line).unwrap();
            assert!(length > 0, "it ended before {what}");
            if let Some(value) = serde_json::from_str(&line).ok().filter(&is) {
                return value;
            }
        }
    }
}

#[test]
fn each_console_is_told_and_then_each_that_changes() {
    let lab = TestLab::new();
    let consoles: String = ["panda01", "panda02"]
        .map(|name| format!("[[console]]\nname = \"{name}\"\nport = \"exec:/bin/cat\"\n"))
        .concat();
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n{consoles}",
        lab.path("capture").display()
    );
    let config = lab.write("serial.toml", &config);
    let mut serial = lab.start("lava-serial", ["--config", &config]);
    let address = serial.address("http");
    let mut feed = Feed::of(address, None);
    for name in ["panda01", "panda02"] {
        feed.find(name, |row| row["type"] == "console" && row["console"] == name);
    }
    let send = r#"{"user":"alice","text":"\u001b[31mlogin:\u001b[0m "}"#;
    http(address, "POST", "/consoles/panda02/send", send);
    let row = feed.find("what was typed", |row| row["last_line"] == "login:");
    assert_eq!((&row["console"], row["heard_us"].is_u64()), (&"panda02".into(), true));
    let mut bob = lab.program("lava-console");
    let bob = Client::in_pipes(bob.args(["--exclusive", "panda01"]).env("LAVA_USER", "bob"));
    feed.find("who holds it", |row| row["console"] == "panda01" && row["holder"] == "bob");
    drop(bob);
    // It ends with its daemon, and does not hold that up.
    assert!(serial.terminate().success());
}

#[test]
fn who_may_not_spy_is_told_no_line_and_who_may_not_see_no_console() {
    let lab = TestLab::new();
    let config = format!(
        "{}[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
         [[console]]\nname = \"apu01\"\nport = \"exec:/bin/cat\"\n\
         [[console]]\nname = \"panda01\"\nport = \"exec:/bin/echo Kernel panic - not syncing: secret\"\n",
        user("alice", "see = [\"panda*\"]") + &user("bob", "spy = [\"panda*\"]"),
        lab.path("capture").display()
    );
    let config = lab.write("serial.toml", &config);
    let serial = lab.start("lava-serial", ["--config", &config]);
    let mut feed = Feed::of(serial.address("http"), Some(&token("alice")));
    let row = feed.find("a console", |row| {
        assert_ne!(row["console"], "apu01");
        row["console"] == "panda01" && row["head"].as_u64() > Some(0)
    });
    assert_eq!(row["last_line"], Value::Null, "{row}");
    // That it is in trouble is how the board is; the line that tells it is what it prints.
    let row = feed.find("the panic", |row| row["trouble"]["what"] == "panic");
    assert_eq!(row["trouble"]["line"], "", "{row}");
    let pages = ["/consoles", "/consoles/panda01"];
    let told = |who: &str, page: &str| {
        http_as(serial.address("http"), Some(&token(who)), "GET", page, "").text()
    };
    for page in pages {
        wait_until(LIMIT, "who may spy is told the line", || told("bob", page).contains("secret"));
        let seen = told("alice", page);
        assert!(seen.contains("panic") && !seen.contains("secret"), "{page}: {seen}");
    }
}
