//! The pages, in a real browser: a person looks, types, pastes, copies, switches the board and logs in.

pub(crate) mod browser;
mod console;
mod copy;
mod hostile;
mod login;
mod past;
mod phone;
mod power;

use std::net::SocketAddr;

use self::browser::{Browser, Page};
use crate::common::{Daemon, Pki, Port, TestLab};

/// A `lava-serial` with the console panda01, on a port that stays the same when it is started again.
struct Lab {
    lab: TestLab,
    file: String,
    serial: Option<Daemon>,
    address: SocketAddr,
    scheme: &'static str,
    _port: Port,
}

impl Lab {
    /// `port` is the console's; `more` stands before it in the configuration.
    #[track_caller]
    fn start(port: &str, more: &str, console: &str) -> Self {
        Self::start_in(TestLab::new(), "http", port, more, console)
    }

    /// The same with HTTPS.
    #[track_caller]
    fn start_tls(port: &str, more: &str) -> Self {
        let lab = TestLab::new();
        Pki::new(&lab, "ca").server("server");
        Self::start_in(lab, "https", port, more, "")
    }

    #[track_caller]
    fn start_in(lab: TestLab, scheme: &'static str, port: &str, more: &str, console: &str) -> Self {
        let own = Port::take();
        let address = own.address();
        let tls =
            if scheme == "https" { "cert = \"server.pem\"\nkey = \"server.key\"\n" } else { "" };
        let text = format!(
            "{more}\n[http]\nlisten = \"{address}\"\n{tls}[capture]\ndir = {:?}\n\
             [[console]]\nname = \"panda01\"\nport = \"{port}\"\n{console}\n",
            lab.path("captures")
        );
        let file = lab.write("serial.toml", &text);
        let serial = Some(lab.start("lava-serial", ["--config", &file]));
        Self { lab, file, serial, address, scheme, _port: own }
    }

    /// Starts it again.
    #[track_caller]
    fn again(&mut self) {
        self.serial = Some(self.lab.start("lava-serial", ["--config", &self.file]));
    }

    fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The page of the console, connected.
    #[track_caller]
    fn console(&self, browser: &Browser) -> Page {
        let page = browser.open(&self.url("/view/panda01"));
        connected(&page);
        page
    }
}

#[track_caller]
fn connected(page: &Page) {
    let script = "document.getElementById('link').textContent === 'connected' \
                  && document.querySelector('.row')";
    page.expect("the page is connected", script);
}

/// A listener for a console to connect to, and the port to configure.
fn pair() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    (listener, port)
}
