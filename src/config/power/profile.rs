//! PDUs as data: files that say how the PDUs of a family are switched.
//!
//! Every driver that is told by data has a folder of them in `conf/profiles`, which come with the
//! program; what is in such a file is the driver's matter.

use std::path::Path;

use super::pdu::unknown;
use crate::config::{At, Table, read_text};

/// The name of a profile that comes with the program, and its text.
pub type BuiltIn = (&'static str, &'static str);

/// The files of a folder in `conf/profiles`, by their names without `.toml`.
macro_rules! built_in {
    ($folder:literal: $($name:literal)*) => {
        &[$((
            $name,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/conf/profiles/", $folder, "/", $name, ".toml"
            )),
        )),*]
    };
}
pub(in crate::config::power) use built_in;

/// The profile that a PDU's `profile` key names: one that comes with the program, or a file, seen from
/// the folder of the configuration.
pub(in crate::config::power) fn named_in<T>(
    table: &Table<'_>,
    built_in: &[BuiltIn],
    parse: impl Fn(&str, &At<'_>) -> Option<T>,
) -> Option<T> {
    let name = table.required::<String>("profile")?;
    let problems = table.at().problems;
    if let Some((_, text)) = built_in.iter().find(|(known, _)| *known == name) {
        return parse(text, &At::top(&name, problems));
    }
    if !name.contains('/') && !name.ends_with(".toml") {
        let known = unknown("profile", &name, built_in.iter().map(|(name, _)| *name));
        table.problem("profile", known);
        return None;
    }
    let file = Path::new(table.at().file).parent().unwrap_or(Path::new("")).join(&name);
    let label = file.display().to_string();
    match read_text(&file) {
        Ok(text) => parse(&text, &At::top(&label, problems)),
        Err(reason) => {
            table.problem("profile", format!("{label} {reason}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::pdu::DRIVERS;

    #[test]
    fn every_file_comes_with_the_program() {
        let known = DRIVERS.iter().filter(|driver| !driver.profiles.is_empty());
        let known: Vec<_> = known.map(|driver| (driver.name, driver.profiles)).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/profiles");
        let names = |folder: &Path| -> BTreeSet<String> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&folder), known.iter().map(|(name, _)| (*name).to_owned()).collect());
        for (name, built_in) in known {
            let built_in = built_in.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(names(&folder.join(name)), built_in, "{name}");
        }
    }
}
