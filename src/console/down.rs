//! A port that somebody has closed, so that another program can use its device.

use tokio::sync::oneshot;

use super::Session;
use super::input::{Down, Request};
use super::supervisor::Supervisor;
use crate::model::What;
use crate::model::event::Mode;

impl Session {
    /// Closes the port, or opens it again. Clients stay; the port stays closed over a restart that
    /// hands the console over.
    ///
    /// # Errors
    /// Why nothing was done: it is so already, or this session may not write now.
    pub async fn set_down(&self, down: bool) -> Result<(), String> {
        if self.mode() == Mode::Spy {
            return Err("read-only: to close the port needs the right to write".into());
        }
        let (answer, answered) = oneshot::channel();
        let request = Down { who: self.user().to_owned(), down, answer };
        let gone = || "the console is shutting down".to_owned();
        let sent = self.console().requests.send(Request::Down(Box::new(request))).await;
        sent.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Supervisor {
    /// Notes that the port is to be closed or opened; true when that is something new.
    pub(super) fn set_down(&mut self, request: Down) -> bool {
        let Down { who, down, answer } = request;
        // Whoever asked may be gone. So below.
        if down == self.down.is_some() {
            let state = if down { "closed" } else { "open" };
            let _ = answer.send(Err(format!("console already {state}")));
            return false;
        }
        if down {
            self.down = Some(who);
        } else {
            self.down = None;
            self.event(Some(who), What::PortUp);
        }
        let _ = answer.send(Ok(()));
        true
    }
}
