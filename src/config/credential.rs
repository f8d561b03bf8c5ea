//! Files that hold secrets: beside the configuration, or handed over by systemd.
//!
//! `credential:NAME` is the file NAME that `LoadCredential=` has put where only the daemon can read it.
//! See systemd.exec(5), "CREDENTIALS".

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::Table;

/// Where a key's value says that a file is: a path is seen from the folder of the configuration.
pub(super) fn file(table: &Table<'_>, key: &str) -> Option<PathBuf> {
    let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
    table.parsed(key, |named| located(folder, named, std::env::var_os("CREDENTIALS_DIRECTORY")))
}

fn located(folder: &Path, named: &str, credentials: Option<OsString>) -> Result<PathBuf, String> {
    let Some(name) = named.strip_prefix("credential:") else { return Ok(folder.join(named)) };
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
    {
        return Err(format!("{name:?} is no credential's name; write it like credential:rack1"));
    }
    let Some(credentials) = credentials.filter(|dir| !dir.is_empty()) else {
        return Err(format!(
            "there are no credentials here; systemd hands them over, with \
             LoadCredential={name}:FILE in the unit"
        ));
    };
    Ok(Path::new(&credentials).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_file_of_systemds_and_no_other() {
        let of = |named: &str| located(Path::new("/etc/lava"), named, Some("/run/cred".into()));
        assert_eq!(of("rack1.word"), Ok("/etc/lava/rack1.word".into()));
        assert_eq!(of("/abs/word"), Ok("/abs/word".into()));
        assert_eq!(of("credential:rack1"), Ok("/run/cred/rack1".into()));
        for wrong in ["", "../x", "a/b", "/etc/shadow", ".", "a/"] {
            let told = of(&format!("credential:{wrong}")).unwrap_err();
            assert!(told.contains("is no credential's name"), "{wrong}: {told}");
        }
        let none = located(Path::new(""), "credential:rack1", None).unwrap_err();
        assert!(none.contains("LoadCredential=rack1:FILE"), "{none}");
    }
}
