//! A port that somebody has closed, so that another program can use its device.

use super::input::{Down, Request};
use super::request::{Asker, RequestError};
use super::session::Session;
use super::supervisor::Supervisor;
use crate::model::What;

impl Session {
    /// Closes the port, or opens it again. Clients stay; the port stays closed over a restart that
    /// hands the console over.
    ///
    /// # Errors
    /// Why nothing was done: it is so already, or this session may not write now.
    pub async fn set_down(&self, down: bool) -> Result<(), String> {
        let done = Asker::of_session(self).set_down(down).await;
        done.map_err(|error| error.to_string())
    }
}

impl Asker<'_> {
    /// Closes the port, or opens it again.
    pub(super) async fn set_down(self, down: bool) -> Result<(), RequestError> {
        self.may_set()?;
        let who = self.user.to_owned();
        let request = |answer| Request::Down(Box::new(Down { who, down, answer }));
        self.console.ask(request).await.map_err(RequestError::Port)
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
