//! Which consoles there are, and where: our own, and those that others have registered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most entries of others.
const MAX_ENTRIES: usize = 4096;
/// The longest name or location, in bytes.
const MAX_WORD: usize = 255;

/// The content of the registry.
#[derive(Debug, Default)]
pub struct Directory(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    own: BTreeMap<String, SocketAddr>,
    others: BTreeMap<String, String>,
    /// Keeps `others`, a `NAME HOST:PORT` a line, as conmux does.
    file: Option<PathBuf>,
}

/// Why something was not registered.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddError {
    #[error("EINVAL a service has a name and a location, HOST:PORT")]
    Invalid,
    #[error("EEXIST {0} is a console of this server")]
    Own(String),
    #[error("ENOSPC there are {MAX_ENTRIES} entries already")]
    Full,
    #[error("EIO {0}")]
    File(#[from] io::Error),
}

impl Directory {
    /// From now on these are our own consoles, and `file` keeps those of others.
    pub fn set(&self, own: BTreeMap<String, SocketAddr>, file: PathBuf) {
        let mut content = self.lock();
        content.own = own;
        if content.file.as_ref() != Some(&file) {
            content.others = read(&file);
            content.file = Some(file);
        }
    }

    /// Where a console is. `reached` is our address as the client knows it, for consoles that listen on
    /// all of ours.
    pub(super) fn find(&self, name: &str, reached: SocketAddr) -> Option<String> {
        let content = self.lock();
        let own = content.own.get(name).map(|address| location(*address, reached));
        own.or_else(|| content.others.get(name).cloned())
    }

    /// All of them, a `NAME HOST:PORT` a line.
    pub(super) fn list(&self, reached: SocketAddr) -> String {
        let content = self.lock();
        let own = content.own.iter().map(|(name, at)| (name, location(*at, reached)));
        let others = content.others.iter().filter(|(name, _)| !content.own.contains_key(*name));
        let all: BTreeMap<_, _> =
            others.map(|(name, location)| (name, location.clone())).chain(own).collect();
        lines(all)
    }

    /// Registers a console of somebody else, in place of an earlier one of that name.
    ///
    /// # Errors
    /// As an answer tells it: the name of an error, and what it means.
    pub(super) fn add(&self, name: &str, location: &str) -> Result<(), AddError> {
        let is_port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
        if !is_word(name) || !is_word(location) || !location.rsplit_once(':').is_some_and(is_port) {
            return Err(AddError::Invalid);
        }
        let mut content = self.lock();
        if content.own.contains_key(name) {
            return Err(AddError::Own(name.to_owned()));
        }
        if content.others.len() == MAX_ENTRIES && !content.others.contains_key(name) {
            return Err(AddError::Full);
        }
        let before = content.others.insert(name.to_owned(), location.to_owned());
        if before.as_deref() != Some(location)
            && let Err(error) = content.save()
        {
            // It is as it was, also for who asks again.
            match before {
                Some(before) => content.others.insert(name.to_owned(), before),
                None => content.others.remove(name),
            };
            return Err(error.into());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// The file is replaced as a whole: there is always one that can be read.
    fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = file.with_extension("new");
        std::fs::write(&new, lines(self.others.iter()))?;
        std::fs::rename(&new, file)
    }
}

/// The entries of a file; those that make no sense are left out.
fn read(file: &PathBuf) -> BTreeMap<String, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %file.display(), %error, "conmux's registry is not read");
            }
            return BTreeMap::new();
        }
    };
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let sound = pairs.filter(|(name, location)| is_word(name) && is_word(location));
    sound.take(MAX_ENTRIES).map(|(name, location)| (name.to_owned(), location.to_owned())).collect()
}

fn is_word(text: &str) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= MAX_WORD && !text.contains(strange)
}

fn lines<N: AsRef<str>, L: AsRef<str>>(entries: impl IntoIterator<Item = (N, L)>) -> String {
    entries.into_iter().fold(String::new(), |mut lines, (name, location)| {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{} {}", name.as_ref(), location.as_ref());
        lines
    })
}

fn location(address: SocketAddr, reached: SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() { reached.ip() } else { address.ip() };
    // A client of IPv4 does not know the other way to write its address.
    SocketAddr::new(ip.to_canonical(), address.port()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_is_told_an_address_that_it_can_reach() {
        let here = address("[::ffff:10.0.0.5]:63000");
        assert_eq!(location(address("127.0.0.1:7301"), here), "127.0.0.1:7301");
        assert_eq!(location(address("0.0.0.0:7301"), here), "10.0.0.5:7301");
    }

    #[test]
    fn what_could_not_be_kept_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        let directory = Directory::default();
        directory.set(BTreeMap::new(), file.join("registry"));
        for _ in 0..2 {
            let added = directory.add("juno", "lab2:4000");
            assert!(matches!(added, Err(AddError::File(_))), "{added:?}");
            assert_eq!(directory.find("juno", address("127.0.0.1:63000")), None);
        }
    }

    #[test]
    fn what_others_registered_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/registry");
        let own = BTreeMap::from([("panda01".to_owned(), address("127.0.0.1:7301"))]);
        let here = address("127.0.0.1:63000");
        let directory = Directory::default();
        directory.set(own.clone(), file.clone());
        directory.add("juno", "lab2:4000").unwrap();
        directory.add("beagle", "lab2:4001").unwrap();
        directory.add("juno", "lab2:4002").unwrap();
        for (name, location) in [("", "a:1"), ("a b", "a:1"), ("a", ""), ("a", "b"), ("a", ":1")] {
            assert!(matches!(directory.add(name, location), Err(AddError::Invalid)), "{name}");
        }
        assert!(matches!(directory.add("panda01", "evil:1"), Err(AddError::Own(_))));

        let next = Directory::default();
        next.set(own, file);
        let all = "beagle lab2:4001\njuno lab2:4002\npanda01 127.0.0.1:7301\n";
        assert_eq!(next.list(here), all);
        assert_eq!(next.find("juno", here).as_deref(), Some("lab2:4002"));
        assert_eq!(next.find("nope", here), None);
    }
}
