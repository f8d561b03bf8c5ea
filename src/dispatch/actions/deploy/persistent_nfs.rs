//! `parse-persistent-nfs`: a root file system that a server of the lab's has, and that stays.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct PersistentNfs {
    /// `SERVER:PATH`, where the job has one.
    pub address: Option<String>,
}

impl Action for PersistentNfs {
    fn name(&self) -> &'static str {
        "parse-persistent-nfs"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(address) = &self.address else { return };
            if parts(address).is_none() {
                let expected = "expected SERVER:/PATH";
                checks.fault(format!("\"persistent_nfs: address\": {address:?}: {expected}"));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if let Some((server, path)) = self.address.as_deref().and_then(parts) {
                let files = &mut context.shared().tftp;
                files.insert("nfs_server".into(), server.to_owned());
                files.insert("nfsrootfs".into(), path.to_owned());
            }
            Ok(())
        })
    }
}

/// The server and the path of an address.
fn parts(address: &str) -> Option<(&str, &str)> {
    address.split_once(":/").map(|(server, _)| (server, &address[server.len() + 1..]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_is_a_server_and_a_path() {
        assert_eq!(super::parts("10.0.0.1:/nfs/jessie"), Some(("10.0.0.1", "/nfs/jessie")));
        assert_eq!(super::parts("/nfs/jessie"), None);
    }
}
