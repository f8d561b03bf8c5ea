//! The folder where the daemons of this host put their sockets, so that clients find them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The folder: `$LAVA_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/lava`, else `/run/lava` for root and
/// services, else a folder of the user's own in `/tmp`.
pub fn runtime_dir() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("LAVA_RUNTIME_DIR") {
        return dir;
    }
    if let Some(dir) = set("XDG_RUNTIME_DIR") {
        return dir.join("lava");
    }
    let uid = rustix::process::getuid();
    if uid.is_root() || set("RUNTIME_DIRECTORY").is_some() {
        return "/run/lava".into();
    }
    in_tmp()
}

/// The inventory that says where the console of a job is which runs on this host.
pub fn job_file(job: &str) -> PathBuf {
    runtime_dir().join("jobs").join(format!("{job}.toml"))
}

fn in_tmp() -> PathBuf {
    std::env::temp_dir().join(format!("lava-{}", rustix::process::getuid().as_raw()))
}

/// Why a runtime folder is not to be trusted: one in `/tmp` could have been made by anybody, who would be
/// told our tokens. One that is not there is no such thing.
pub fn mistrust(dir: &Path) -> Option<String> {
    if dir == in_tmp() { intruder(dir) } else { None }
}

fn intruder(dir: &Path) -> Option<String> {
    let found = dir.symlink_metadata().ok()?;
    let why = if !found.is_dir() {
        "it is no folder".to_owned()
    } else if found.uid() != rustix::process::getuid().as_raw() {
        format!("it belongs to user {}", found.uid())
    } else if found.mode() & 0o022 != 0 {
        "others may write to it".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "{} is not trusted: {why}; see who made it and remove it, or set XDG_RUNTIME_DIR or LAVA_RUNTIME_DIR",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_ours_that_others_cannot_write_to_is_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let lab = tempfile::tempdir().unwrap();
        let dir = lab.path().join("lava");
        assert_eq!(intruder(&dir), None, "it is not there");
        std::fs::create_dir(&dir).unwrap();
        let mode = |mode| std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode));
        mode(0o755).unwrap();
        assert_eq!(intruder(&dir), None);
        mode(0o775).unwrap();
        assert!(intruder(&dir).unwrap().contains("others may write to it"));
        mode(0o700).unwrap();
        let link = lab.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(intruder(&link).unwrap().contains("it is no folder"));
        let proc = Path::new("/proc/1");
        let foreign = proc.metadata().unwrap().uid() != rustix::process::getuid().as_raw();
        assert_eq!(intruder(proc).is_some(), foreign);
        assert_eq!(mistrust(&link), None, "it was named on purpose");
    }
}
