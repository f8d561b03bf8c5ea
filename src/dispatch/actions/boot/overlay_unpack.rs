//! `overlay-unpack`: the booted system fetches the overlay and unpacks it.

use futures_util::future::BoxFuture;

use crate::dispatch::action::Action;
use crate::dispatch::job::Transfer;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct OverlayUnpack {
    pub transfer: Transfer,
}

impl Action for OverlayUnpack {
    fn name(&self) -> &'static str {
        "overlay-unpack"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _ = &self.transfer;
            checks.fault("cannot be run yet: the block has \"transfer_overlay\"");
        })
    }
}
