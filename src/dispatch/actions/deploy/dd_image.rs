//! `dd-image`: the board's running system fetches an image and writes it to a medium.

use crate::dispatch::action::Action;
use crate::dispatch::job::Deploy;

#[derive(Debug)]
pub(super) struct DdImage {
    pub deploy: Deploy,
}

impl Action for DdImage {
    fn name(&self) -> &'static str {
        "dd-image"
    }
}
