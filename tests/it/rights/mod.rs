//! Who may do what by HTTP: tokens, names, and rights that are taken away.

mod attached;
mod conmux;
mod login;
mod named;
mod outlet;

use std::net::SocketAddr;

use lavamux::model::TokenHash;

use crate::common::{Answer, Daemon, TestLab, WebSocket, http_as};

/// A console that says back each line.
pub(super) const ECHO: &str = "exec:sh -c 'stty -echo; while read a; do echo got $a; done'";

/// A `lava-serial` with the consoles panda01, panda02 and secret, whose `[[token]]`s can change.
pub(super) struct Guarded {
    pub(super) lab: TestLab,
    pub(super) file: String,
    pub(super) serial: Daemon,
}

impl Guarded {
    /// `access` is what the configuration says beside its consoles.
    #[track_caller]
    pub(super) fn start(access: &str) -> Self {
        let lab = TestLab::new();
        let file = lab.write("serial.toml", &config(&lab, access));
        let serial = lab.start("lava-serial", ["--config", &file]);
        Self { lab, file, serial }
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.serial.address("http")
    }

    /// A request with the token `lava_NAME`; none without a name.
    #[track_caller]
    pub(super) fn ask(&self, name: &str, method: &str, path: &str, body: &str) -> Answer {
        let token = (!name.is_empty()).then(|| token(name));
        http_as(self.http(), token.as_deref(), method, path, body)
    }

    /// The status of an answer, and its message.
    #[track_caller]
    pub(super) fn told(&self, name: &str, method: &str, path: &str) -> (u16, String) {
        let answer = self.ask(name, method, path, "{}");
        let message = match answer.status {
            200 => String::new(),
            _ => answer.json()["error"]["message"].as_str().unwrap().to_owned(),
        };
        (answer.status, message)
    }

    #[track_caller]
    pub(super) fn attach(&self, name: &str, query: &str) -> WebSocket {
        WebSocket::attach_as(self.http(), Some(&token(name)), "panda01", query)
    }

    /// Has another configuration served.
    #[track_caller]
    pub(super) fn reload(&self, access: &str) {
        std::fs::write(&self.file, config(&self.lab, access)).unwrap();
        let socket = self.serial.told("socket");
        let answer = crate::common::http_unix(socket.as_ref(), "POST", "/reload", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A `[[token]]` of this name, whose token is `lava_NAME`.
pub(crate) fn user(name: &str, rights: &str) -> String {
    let hash = TokenHash::of(&token(name)).unwrap();
    format!("[[token]]\nname = \"{name}\"\nhash = \"{hash}\"\n{rights}\n")
}

pub(crate) fn token(name: &str) -> String {
    format!("lava_{name}")
}

fn config(lab: &TestLab, access: &str) -> String {
    let mut text = format!(
        "{access}\n[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\n",
        lab.path("captures")
    );
    for name in ["panda01", "panda02", "secret"] {
        text += &format!("[[console]]\nname = \"{name}\"\nport = \"{ECHO}\"\n");
    }
    text
}
