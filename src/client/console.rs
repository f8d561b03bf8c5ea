//! Where a console is found.

use std::fmt;
use std::str::FromStr;

use super::{Endpoint, Http};

/// A console's URL: `http://HOST:PORT/consoles/NAME` or `unix:SOCKET:/consoles/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsoleRef {
    pub endpoint: Endpoint,
    /// The console's path on its daemon, `/consoles/NAME`, without a slash at the end.
    pub path: String,
}

impl ConsoleRef {
    /// The console `name` of the daemon at `endpoint`.
    pub fn new(endpoint: Endpoint, name: &str) -> Self {
        Self { endpoint, path: format!("/consoles/{name}") }
    }

    /// The name that the daemon knows the console by: the last piece of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The console's daemon, for one request at a time.
    pub fn http(&self) -> Http {
        Http::new(self.endpoint.clone())
    }
}

impl FromStr for ConsoleRef {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (endpoint, path) = Endpoint::split(url)?;
        let path = path.trim_end_matches('/').to_owned();
        if path.is_empty() {
            return Err(format!("{url:?} names no console; it ends in /consoles/NAME"));
        }
        Ok(Self { endpoint, path })
    }
}

impl fmt::Display for ConsoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp(_) => write!(f, "{}{}", self.endpoint, self.path),
            Endpoint::Unix(_) => write!(f, "{}:{}", self.endpoint, self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_written_as_its_url() {
        for url in ["http://127.0.0.1:7100/consoles/panda01", "unix:/run/a.sock:/consoles/panda01"]
        {
            let console: ConsoleRef = url.parse().unwrap();
            assert_eq!(console.name(), "panda01");
            assert_eq!(console.to_string(), url);
        }
        assert!("http://127.0.0.1:7100".parse::<ConsoleRef>().is_err());
    }
}
