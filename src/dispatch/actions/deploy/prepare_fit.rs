//! `prepare-fit`: kernel, device tree and ramdisk as one image, by U-Boot's `mkimage`.

use futures_util::future::BoxFuture;

use crate::dispatch::action::Action;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct PrepareFit;

impl Action for PrepareFit {
    fn name(&self) -> &'static str {
        "prepare-fit"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("mkimage");
        })
    }
}
