//! The folder where the daemons of this host put their sockets, so that clients find them.

use std::path::PathBuf;

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
    std::env::temp_dir().join(format!("lava-{}", uid.as_raw()))
}
