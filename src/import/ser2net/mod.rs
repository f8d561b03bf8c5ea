//! ser2net's configuration: `ser2net.yaml` in both of its versions, and the lines of the old
//! `ser2net.conf`.
//!
//! Either way a connection is an *accepter*, where clients come, and a *connector*, the line.

mod conf;
mod gensio;
mod option;
mod yaml;

use super::found::Imported;
use super::{ImportError, Include};

/// Reads a file of any of the three.
pub(super) fn read(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    if is_yaml(file, text) {
        read_yaml(file, text, include, into)
    } else {
        read_conf(file, text, into);
        Ok(())
    }
}

/// Reads YAML text, as that of ser2net's option `-Y`.
///
/// # Errors
/// When it is no YAML, also when ser2net's own additions are taken into account.
pub fn read_yaml(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    yaml::read(file, text, include, into)
}

/// Reads lines of the old form, as those of ser2net's option `-C`.
pub fn read_conf(file: &str, text: &str, into: &mut Imported) {
    conf::read(file, text, into);
}

/// ser2net goes by the name and the first line; a file that was renamed is recognised by its keys.
fn is_yaml(file: &str, text: &str) -> bool {
    let is_key = |line: &str| {
        let key = line.split_once(':').map(|(key, _)| key.trim_end());
        key.is_some_and(|key| yaml::KEYS.contains(&key) || yaml::LISTS.contains(&key))
    };
    file.ends_with(".yaml")
        || file.ends_with(".yml")
        || text.starts_with("%YAML")
        || text.lines().any(is_key)
}
