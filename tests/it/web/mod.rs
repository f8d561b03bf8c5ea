//! The pages, in a real browser: a person looks, types, pastes, switches the board and logs in.

mod browser;
mod console;
mod hostile;
mod login;
mod phone;
mod power;

use std::net::SocketAddr;

use self::browser::{Browser, Page};
use crate::common::{Daemon, TestLab};

/// A `lava-serial` with the console panda01, on a port that stays the same when it is started again.
struct Lab {
    lab: TestLab,
    file: String,
    serial: Option<Daemon>,
    address: SocketAddr,
}

impl Lab {
    /// `port` is the console's; `more` stands before it in the configuration.
    #[track_caller]
    fn start(port: &str, more: &str, console: &str) -> Self {
        let lab = TestLab::new();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!(
            "{more}\n[http]\nlisten = \"{free}\"\n[capture]\ndir = {:?}\n\
             [[console]]\nname = \"panda01\"\nport = \"{port}\"\n{console}\n",
            lab.path("captures")
        );
        let file = lab.write("serial.toml", &text);
        let serial = Some(lab.start("lava-serial", ["--config", &file]));
        Self { lab, file, serial, address: free }
    }

    /// Starts it again.
    #[track_caller]
    fn again(&mut self) {
        self.serial = Some(self.lab.start("lava-serial", ["--config", &self.file]));
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
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
