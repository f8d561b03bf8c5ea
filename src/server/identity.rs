//! Whether a board is the one that it was: by the hardware addresses and the identity that it tells of itself.
//!
//! What a board tells first is written down; from then on it is compared. One that tells something else was swapped,
//! or copied from another: it becomes bad, and is given to nobody, until somebody has looked and says which is right.

use super::registry::{event, row_of};
use super::state::State;
use super::{Asker, Server, ServerError};
use crate::model::{BoardHealth, BoardIdentity, IdentityVerdict, Name, Right, Verdict};

/// The longest identity, in bytes, and so many addresses one board tells of at most.
const MAX_IDENTITY: usize = 200;
const MAX_MACS: usize = 64;

impl Server {
    /// Compares what a board tells of itself with what is known of it.
    ///
    /// # Errors
    /// When there is no such board, the asker has neither leased it nor control of it, or what it tells is no
    /// identity.
    pub async fn identify(
        &self,
        name: &str,
        told: BoardIdentity,
        asker: &Asker,
    ) -> Result<IdentityVerdict, ServerError> {
        let mut state = self.0.state.lock().await;
        let name = state.find(name)?.0.clone();
        let theirs = state.lease_of(&name).is_some_and(|lease| {
            let (user, shared) = (&lease.user, &lease.shared_with);
            *user == asker.user || shared.contains(&asker.user)
        });
        if !theirs && !asker.may(Right::Control, name.as_str()) {
            return Err(ServerError::NotLeased { name, user: asker.user.clone() });
        }
        self.identify_in(&mut state, &name, told, &asker.user).await
    }

    /// The same with the state in hand.
    pub(super) async fn identify_in(
        &self,
        state: &mut State,
        name: &Name,
        told: BoardIdentity,
        who: &str,
    ) -> Result<IdentityVerdict, ServerError> {
        let told = checked(told)?;
        let (_, board) = state.find(name.as_str())?;
        let verdict = match told.accept {
            true => IdentityVerdict::new(Verdict::Learned, "it is what it says from now on"),
            false => state.compare(name, &told),
        };
        match verdict.verdict {
            Verdict::Same | Verdict::Nothing => {}
            Verdict::Learned => {
                let mut board = board.clone();
                let known = &mut board.description;
                if told.accept {
                    (known.mac, known.identity) = (told.mac, told.identity);
                } else {
                    known.mac.extend(told.mac);
                    known.identity = told.identity.or(known.identity.take());
                }
                let detail = text(&board.description.mac, board.description.identity.as_deref());
                let event = event(name, who, "identity", &detail);
                self.0.store.put_board(&row_of(name, &board), &event).await?;
                state.boards.insert(name.clone(), board);
                self.changed();
            }
            // One that is looping would loop on as another one.
            Verdict::Another
                if board.health.is_usable() || board.health == BoardHealth::Looping =>
            {
                self.change_health(state, name, BoardHealth::Bad, &verdict.why, who).await?;
            }
            Verdict::Another => {}
        }
        Ok(verdict)
    }
}

impl State {
    fn compare(&self, name: &Name, told: &BoardIdentity) -> IdentityVerdict {
        let another = |why: String| IdentityVerdict::new(Verdict::Another, why);
        if told.mac.is_empty() && told.identity.is_none() {
            return IdentityVerdict::new(Verdict::Nothing, "it tells nothing that is its alone");
        }
        // Whose it is counts first: so a swap is told by both names.
        for (other, board) in self.boards.iter().filter(|(other, _)| *other != name) {
            let known = &board.description;
            let mac = known.mac.intersection(&told.mac).next().map(ToString::to_string);
            let identity = known.identity.clone().filter(|it| told.identity.as_ref() == Some(it));
            if let Some(shared) = mac.or(identity) {
                return another(format!(
                    "it says that it is {shared}, which is {other}: swapped with it, or a copy of it"
                ));
            }
        }
        let Some(known) = self.boards.get(name).map(|board| &board.description) else {
            return another("there is no such board".into());
        };
        if let (Some(known), Some(told)) = (&known.identity, &told.identity)
            && known != told
        {
            return another(format!("it says that it is {told}, and was {known}: another board"));
        }
        if !known.mac.is_empty() && !told.mac.is_empty() && known.mac.is_disjoint(&told.mac) {
            let (told, known) = (text(&told.mac, None), text(&known.mac, None));
            return another(format!("it says that it is {told}, and was {known}: another board"));
        }
        let new = known.mac.is_empty() && !told.mac.is_empty()
            || known.identity.is_none() && told.identity.is_some();
        match new {
            true => IdentityVerdict::new(Verdict::Learned, "it is known by that from now on"),
            false => IdentityVerdict::new(Verdict::Same, "it is the board that it was"),
        }
    }
}

/// Leaves out what says nothing of who it is.
fn checked(told: BoardIdentity) -> Result<BoardIdentity, ServerError> {
    let BoardIdentity { mut mac, identity, accept, user } = told;
    if mac.len() > MAX_MACS {
        return Err(ServerError::Wrong(format!("a board has {MAX_MACS} addresses at most")));
    }
    mac.retain(|mac| mac.is_makers());
    let identity = identity.filter(|text| !text.is_empty());
    if let Some(text) = &identity
        && (text.len() > MAX_IDENTITY
            || text.contains(|c: char| c.is_control() || c.is_whitespace()))
    {
        let what = format!("the identity is longer than {MAX_IDENTITY} bytes, or has spaces in it");
        return Err(ServerError::Wrong(what));
    }
    Ok(BoardIdentity { mac, identity, accept, user })
}

fn text(mac: &std::collections::BTreeSet<crate::model::Mac>, identity: Option<&str>) -> String {
    let all: Vec<_> = identity
        .map(str::to_owned)
        .into_iter()
        .chain(mac.iter().map(ToString::to_string))
        .collect();
    all.join(" ")
}
