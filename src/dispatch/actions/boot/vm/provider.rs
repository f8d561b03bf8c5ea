//! Who makes virtual machines. QEMU on the worker is the one that there is. One that asks somebody else for them
//! (OpenStack: the image goes to Glance, the seed is the instance's user data, its address is waited for, its console
//! is Nova's) is another [`Provider`], and a name in `vm::PROVIDERS`.

use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::qemu::QemuProvider;
use crate::dispatch::action::Running;
use crate::dispatch::context::Context;
use crate::dispatch::validate::Checks;
use crate::dispatch::vm::Vm;

/// A machine as a job wants it.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What the device dictionary says of it.
    pub vm: Vm,
    /// Its disk as it is stored, a qcow2: never written to.
    pub image: PathBuf,
    /// How it is called.
    pub name: String,
    /// Who may log in to it by SSH: public keys.
    pub keys: Vec<String>,
    /// Its SSH server is to be found, where the device dictionary says.
    pub ssh: bool,
}

/// Makes machines.
pub(super) trait Provider: Sync {
    /// Notes what is not there that it needs, and what a job may not have put into the dictionary by its context.
    fn check<'a>(
        &'a self,
        vm: &'a Vm,
        context: &'a [(String, String)],
        checks: &'a mut Checks,
    ) -> BoxFuture<'a, ()>;

    /// Makes the machine anew, in place of one that runs, and starts it. Its console is the running action's
    /// connection then, and what there is of it ends with the job's context.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn start<'a>(&'a self, wanted: &'a Wanted, context: &'a mut Context) -> Running<'a>;
}

/// The provider of a board. Its dictionary was read: it has one of the names that there are.
pub(super) fn provider(_vm: &Vm) -> &'static dyn Provider {
    &QemuProvider
}
