//! HTTPS: other people's clients, our own, certificates that change, and restarts.

mod clients;
mod power;

use lavamux::model::TokenHash;

use crate::common::{Daemon, LIMIT, Pki, TestLab, run};

/// A `lava-serial` with HTTPS on every address of this host, and the console panda01.
pub(super) struct Secure {
    pub(super) lab: TestLab,
    pub(super) file: String,
    pub(super) serial: Daemon,
}

impl Secure {
    /// `access` is what the configuration says beside its console.
    #[track_caller]
    pub(super) fn start(port: &str, access: &str) -> Self {
        let lab = TestLab::new();
        let pki = Pki::new(&lab, "ca");
        pki.server("server");
        let text = format!(
            "{access}\n[http]\nlisten = \"0.0.0.0:0\"\ncert = \"server.pem\"\nkey = \"server.key\"\n\
             client_ca = \"ca.pem\"\n[capture]\ndir = {:?}\n\
             [[console]]\nname = \"panda01\"\nport = \"{port}\"\n",
            lab.path("captures")
        );
        let file = lab.write("serial.toml", &text);
        let serial = lab.start("lava-serial", ["--config", &file]);
        Self { lab, file, serial }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.serial.address("http").port())
    }

    /// What curl prints of a page, its status behind it, or why it did not get it.
    pub(super) fn curl(&self, path: &str, args: &[&str]) -> String {
        let url = self.url(path);
        let mut curl = self.lab.tool("curl");
        curl.args(["-sS", "--cacert", "ca.pem", "-w", " %{http_code}", &url]).args(args);
        let said = run(&mut curl, "", LIMIT);
        String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
    }

    /// A page, as curl got it with alice's token.
    pub(super) fn curl_bytes(&self, path: &str) -> Vec<u8> {
        let mut curl = self.lab.tool("curl");
        curl.args(["-sSf", "--cacert", "ca.pem", "-H", "Authorization: Bearer lava_alice"]);
        run(curl.arg(self.url(path)), "", LIMIT).stdout
    }

    /// Writes an inventory with panda01, and more about it.
    pub(super) fn inventory(&self, more: &str) -> String {
        let url = self.url("/consoles/panda01");
        let text = format!("[[board]]\nname = \"panda01\"\nconsole = \"{url}\"\n{more}\n");
        self.lab.write("lab.toml", &text)
    }
}

/// A `[[token]]` of this name, whose token is `lava_NAME`.
pub(super) fn user(name: &str, rights: &str) -> String {
    let hash = TokenHash::of(&format!("lava_{name}")).unwrap();
    format!("[[token]]\nname = \"{name}\"\nhash = \"{hash}\"\n{rights}\n")
}
