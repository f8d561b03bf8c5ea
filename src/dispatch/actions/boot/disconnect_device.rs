//! `disconnect-device`: lets go of the console, so that what uses it next begins anew.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;

#[derive(Debug)]
pub struct DisconnectDevice;

impl Action for DisconnectDevice {
    fn name(&self) -> &'static str {
        "disconnect-device"
    }

    fn run<'a>(&'a self, _context: &'a mut Context) -> Running<'a> {
        // A console has its record; what matters is that nothing old is taken for an answer, and
        // that is the matter of who types first.
        Box::pin(async { Ok(()) })
    }
}
