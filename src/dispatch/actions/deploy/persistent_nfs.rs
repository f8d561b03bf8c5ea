//! `parse-persistent-nfs`: a root file system that a server of the lab's has, and that stays.
//!
//! Where that server is this host, and the root is in the folder that it exports (`--nfs-dir`), the tests go into
//! it, and leave it when the job ends. Nothing is mounted.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::{Context, Settings};
use crate::dispatch::error::Error;
use crate::dispatch::job::PersistentRoot;
use crate::dispatch::validate::Checks;
use crate::image::tree;

#[derive(Debug)]
pub(super) struct PersistentNfs {
    /// The one that the job has.
    pub root: Option<PersistentRoot>,
    /// The tests go into it.
    pub takes_tests: bool,
}

impl Action for PersistentNfs {
    fn name(&self) -> &'static str {
        "parse-persistent-nfs"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(PersistentRoot { address, .. }) = &self.root else { return };
            let key = "\"persistent_nfs: address\"";
            match parts(address) {
                None => checks.fault(format!("{key}: {address:?}: expected SERVER:/PATH")),
                Some((server, path)) if self.takes_tests => {
                    if let Err(why) = folder(server, path, &checks.settings) {
                        checks.fault(format!(
                            "{key}: {address:?}: the tests cannot be put into it: {why}; let the board fetch \
                             them (\"transfer_overlay\"), or have a ramdisk that takes them"
                        ));
                    }
                }
                Some(_) => {}
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let address = self.root.as_ref().and_then(|root| parts(&root.address));
            let Some((server, path)) = address else { return Ok(()) };
            let files = &mut context.shared().tftp;
            files.insert("nfs_server".into(), server.to_owned());
            files.insert("nfsrootfs".into(), path.to_owned());
            if self.takes_tests {
                let root = folder(server, path, &context.settings).map_err(Error::Configuration)?;
                let lava_dir = context.lava_dir();
                let outside = || Error::Configuration(format!("{lava_dir} leads out of {path}"));
                let own = tree::inside(&root, &lava_dir).ok_or_else(outside)?;
                // What the job adds to a root that stays goes with the job.
                context.leavings.make_folder(own, 0o755).await?;
                context.shared().nfs_root = Some(root);
            }
            Ok(())
        })
    }
}

/// The server and the path of an address.
fn parts(address: &str) -> Option<(&str, &str)> {
    address.split_once(":/").map(|(server, _)| (server, &address[server.len() + 1..]))
}

/// The folder of this host that the board mounts by this address, or why there is none.
fn folder(server: &str, path: &str, settings: &Settings) -> Result<PathBuf, String> {
    let Some(exported) = &settings.nfs_dir else {
        return Err(
            "the folder that this host's NFS server exports is not known (--nfs-dir DIR)".into()
        );
    };
    if server != settings.dispatcher_ip {
        let own = &settings.dispatcher_ip;
        return Err(format!("{server:?} is not this host, which boards know as {own:?}"));
    }
    let real = |path: &Path| path.canonicalize().map_err(|e| format!("{}: {e}", path.display()));
    let (exported, folder) = (real(exported)?, real(Path::new(path))?);
    match folder.starts_with(&exported) && folder != exported {
        true if folder.is_dir() => Ok(folder),
        true => Err("it is no folder".into()),
        false => Err(format!("it is not in {} (--nfs-dir)", exported.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_server_and_a_path() {
        assert_eq!(parts("10.0.0.1:/nfs/jessie"), Some(("10.0.0.1", "/nfs/jessie")));
        assert_eq!(parts("/nfs/jessie"), None);
    }

    #[test]
    fn the_tests_go_only_into_a_root_that_this_host_exports() {
        let dir = tempfile::tempdir().unwrap();
        let (exported, root) = (dir.path().join("nfs"), dir.path().join("nfs/jessie"));
        std::fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink("/etc", exported.join("out")).unwrap();
        let settings = Settings {
            nfs_dir: Some(exported.clone()),
            dispatcher_ip: "10.0.0.1".into(),
            ..Settings::default()
        };
        let of = |server: &str, path: &Path| {
            folder(server, path.to_str().unwrap(), &settings).map_err(|why| why.clone())
        };
        assert_eq!(of("10.0.0.1", &root), Ok(root.canonicalize().unwrap()));
        assert!(of("10.0.0.2", &root).unwrap_err().contains("is not this host"));
        for path in
            [&exported, &exported.join("out"), &exported.join("jessie/../.."), Path::new("/etc")]
        {
            assert!(
                of("10.0.0.1", path).unwrap_err().contains("it is not in"),
                "{}",
                path.display()
            );
        }
    }
}
