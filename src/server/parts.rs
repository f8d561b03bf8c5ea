//! Who may make a console or an outlet part of a board.
//!
//! What a board is put together from is where everybody's tokens go who uses it, and what `lava-power` is told to
//! lease. So who has control of some boards only takes what is announced, and of that what is theirs by its name.

use super::resolve::{Index, is_url, part_name};
use super::{Asker, Server, ServerError};
use crate::model::{BoardDescription, DaemonKind, Name, Right};

impl Server {
    /// Looks whether somebody may describe a board so. What is already so may stay.
    ///
    /// # Errors
    /// When a part is an address, or what others have control of, and the asker has not control of everything.
    pub async fn check_description(
        &self,
        name: &Name,
        description: &BoardDescription,
        asker: &Asker,
    ) -> Result<(), ServerError> {
        if asker.on_all >= Some(Right::Control) {
            return Ok(());
        }
        let state = self.0.state.lock().await;
        let before = state.boards.get(name).map(|board| &board.description);
        let index = Index::new(&state.daemons);
        let parts = [
            (DaemonKind::Serial, &description.console, before.map(|it| &it.console)),
            (DaemonKind::Power, &description.outlet, before.map(|it| &it.outlet)),
        ];
        for (kind, part, before) in parts {
            let Some(new) = part.as_ref().filter(|_| before != Some(part)) else { continue };
            let named = index.named(kind, new);
            let theirs = named.iter().all(|name| asker.may(Right::Control, name.as_str()));
            if is_url(new) || named.is_empty() || !theirs {
                let what = part_name(kind);
                return Err(ServerError::NotYourPart { what, part: new.clone() });
            }
        }
        Ok(())
    }
}
