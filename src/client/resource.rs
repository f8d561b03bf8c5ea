//! Where a console or an outlet is found.

use std::fmt;
use std::str::FromStr;

use super::{Endpoint, Http, Login};

/// A console's URL, `http://HOST:PORT/consoles/NAME`, the same with `https`, or `unix:SOCKET:/consoles/NAME`.
pub type ConsoleRef = Resource;

/// An outlet's URL, `http://HOST:PORT/outlets/NAME`, the same with `https`, or `unix:SOCKET:/outlets/NAME`.
pub type OutletRef = Resource;

/// The URL of one thing that a daemon serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    pub endpoint: Endpoint,
    /// The path on the daemon, such as `/consoles/NAME`, without a slash at the end.
    pub path: String,
    /// How we are let in there.
    pub login: Login,
}

impl Resource {
    /// The thing `name` in the collection `/consoles` or `/outlets` of a daemon.
    pub fn new(endpoint: Endpoint, collection: &str, name: &str) -> Self {
        Self { endpoint, path: format!("{collection}/{name}"), login: Login::default() }
    }

    /// The name that the daemon knows it by: the last piece of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Its daemon, for one request at a time.
    pub fn http(&self) -> Http {
        Http::new(self.endpoint.clone()).with_login(self.login.clone())
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (endpoint, path) = Endpoint::split(url)?;
        let path = path.trim_end_matches('/').to_owned();
        if path.is_empty() {
            return Err(format!(
                "{url:?} names nothing there; it ends in /consoles/NAME or /outlets/NAME"
            ));
        }
        Ok(Self { endpoint, path, login: Login::default() })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp(_) | Endpoint::Tls(_) => write!(f, "{}{}", self.endpoint, self.path),
            Endpoint::Unix(_) => write!(f, "{}:{}", self.endpoint, self.path),
        }
    }
}

/// A text as it is written in a URL's query.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_or_an_outlet_is_written_as_its_url() {
        for url in [
            "http://127.0.0.1:7100/consoles/panda01",
            "https://lab.example:7100/consoles/panda01",
            "unix:/run/a.sock:/consoles/panda01",
        ] {
            let console: ConsoleRef = url.parse().unwrap();
            assert_eq!(console.name(), "panda01");
            assert_eq!(console.to_string(), url);
        }
        assert!("http://127.0.0.1:7100".parse::<ConsoleRef>().is_err());
    }
}
