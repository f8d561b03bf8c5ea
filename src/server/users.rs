//! Who is let in: users and groups with their rights, and tokens.

use std::collections::BTreeMap;

use super::{Server, ServerError};
use crate::config::TokenUser;
use crate::model::{
    GroupInfo, Name, NewToken, Right, Rights, TOKEN_BYTES, TokenHash, TokenInfo, TokenRequest,
    UserChange, UserDescription, UserInfo, token_of, units,
};
use crate::store::{GroupRow, StoreError, TokenRow, UserRow};

/// So much of a token's hash is its name.
const ID: usize = 8;
/// So the scope of a worker's token begins.
const WORKER: &str = "worker:";
/// So many tokens a user has at most.
const MAX_TOKENS: usize = 64;
/// The longest note, in bytes.
const MAX_NOTE: usize = 200;

/// Whether somebody has had to log in so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Shut,
    /// Nobody, and who asks now will be let in all the same.
    Open,
    /// Nobody, and who asks now is let in no more.
    OpenToStranger,
}

impl Server {
    pub async fn users(&self) -> Result<Vec<UserInfo>, ServerError> {
        let tokens = self.0.store.tokens().await?;
        let mut users = Vec::new();
        for row in self.0.store.users().await? {
            let of_user = tokens.iter().filter(|token| token.user == row.name);
            let tokens = of_user.map(info).collect::<Result<_, _>>()?;
            let (name, user) = user(&row)?;
            users.push(UserInfo { name, user, tokens });
        }
        Ok(users)
    }

    /// Adds a user, with a token of these random bytes; or says anew what one may. When the door was open so
    /// far and a `stranger` shuts it, it is for somebody who may open it again.
    ///
    /// # Errors
    /// When there is no such group, or nobody would be let in any more who has control of everything.
    pub async fn put_user(
        &self,
        name: &Name,
        user: &UserDescription,
        door: Door,
        bytes: &[u8; TOKEN_BYTES],
    ) -> Result<UserChange, ServerError> {
        // One after the other.
        let state = self.0.state.lock().await;
        let known = self.groups().await?;
        let unknown = |group: &&Name| !known.iter().any(|known| known.name == **group);
        if let Some(group) = user.groups.iter().find(unknown) {
            return Err(ServerError::Wrong(format!("there is no group {group}")));
        }
        let of_groups = known.iter().filter(|group| user.groups.contains(&group.name));
        let rights = of_groups.fold(user.rights.clone(), |all, group| all.and(&group.rights));
        if door == Door::OpenToStranger && rights.on_all() < Some(Right::Control) {
            let what = "the first user has control of everything (--control '*'): from then on everybody \
                        has to log in, and nobody else could add one";
            return Err(ServerError::Wrong(what.into()));
        }
        let row = UserRow {
            name: name.to_string(),
            groups: serde_json::to_string(&user.groups).unwrap_or_default(),
            rights: serde_json::to_string(&user.rights).unwrap_or_default(),
        };
        if self.0.store.users().await?.iter().any(|known| known.name == row.name) {
            self.0.store.put_user(&row).await?;
            return Ok(UserChange::default());
        }
        let (token, first) = made(name.as_str(), TokenRequest::default(), bytes)?;
        self.0.store.add_user(&row, &first).await?;
        let live = state.daemons.iter().filter(|(_, daemon)| daemon.live && door != Door::Shut);
        let announcing = live.map(|(url, _)| url.clone()).collect();
        Ok(UserChange { token: Some(NewToken { token, info: info(&first)? }), announcing })
    }

    /// Forgets a user. The last one, or the last with control of everything, goes only if the door is shut without users, too, or may be open.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn remove_user(&self, name: &str, may_open: bool) -> Result<(), ServerError> {
        let _one_after_the_other = self.0.state.lock().await;
        let users = self.0.store.users().await?;
        if users.len() == 1 && users[0].name == name && !may_open {
            return Err(ServerError::LastUser(name.to_owned()));
        }
        if !may_open && self.is_last_in_control(name).await? {
            let what = format!(
                "{name} is the last user with control of everything, without whom nobody could add one: \
                 lava user add NAME --control '*' first"
            );
            return Err(ServerError::Wrong(what));
        }
        match self.0.store.remove_user(name).await? {
            true => Ok(()),
            false => Err(ServerError::NoUser(name.to_owned())),
        }
    }

    /// Whether this user alone has control of everything.
    async fn is_last_in_control(&self, name: &str) -> Result<bool, ServerError> {
        let (users, groups) = (self.users().await?, self.groups().await?);
        let has_control = |user: &&UserInfo| {
            let of = groups.iter().filter(|group| user.user.groups.contains(&group.name));
            let rights = of.fold(user.user.rights.clone(), |all, group| all.and(&group.rights));
            rights.on_all() >= Some(Right::Control)
        };
        let mut in_control = users.iter().filter(has_control);
        Ok(in_control.next().is_some_and(|user| user.name.as_str() == name)
            && in_control.next().is_none())
    }

    pub async fn groups(&self) -> Result<Vec<GroupInfo>, ServerError> {
        let rows = self.0.store.groups().await?;
        let group = |row: &GroupRow| {
            Ok(GroupInfo { name: name(&row.name)?, rights: parsed(&row.rights, &row.name)? })
        };
        rows.iter().map(group).collect()
    }

    pub async fn put_group(&self, name: &Name, rights: &Rights) -> Result<(), ServerError> {
        let rights = serde_json::to_string(rights).unwrap_or_default();
        Ok(self.0.store.put_group(&GroupRow { name: name.to_string(), rights }).await?)
    }

    /// # Errors
    /// When there is none, or somebody is of it.
    pub async fn remove_group(&self, name: &str) -> Result<(), ServerError> {
        let users = self.users().await?;
        let of_it = |user: &&UserInfo| user.user.groups.iter().any(|group| group.as_str() == name);
        if let Some(user) = users.iter().find(of_it) {
            let what = format!("{} is of the group {name}", user.name);
            return Err(ServerError::Wrong(what));
        }
        match self.0.store.remove_group(name).await? {
            true => Ok(()),
            false => Err(ServerError::Wrong(format!("there is no group {name:?}"))),
        }
    }

    /// Makes a token of these random bytes, and remembers its hash.
    ///
    /// # Errors
    /// When there is no such user, or what is asked for is not understood.
    pub async fn new_token(
        &self,
        of: &str,
        asked: TokenRequest,
        bytes: &[u8; TOKEN_BYTES],
    ) -> Result<NewToken, ServerError> {
        let users = self.users().await?;
        let user = users.iter().find(|user| user.name.as_str() == of);
        let user = user.ok_or_else(|| ServerError::NoUser(of.to_owned()))?;
        if user.tokens.len() >= MAX_TOKENS {
            let what = format!("{of} has {MAX_TOKENS} tokens already");
            return Err(ServerError::Wrong(what));
        }
        let (token, row) = made(of, asked, bytes)?;
        self.0.store.add_token(&row).await?;
        Ok(NewToken { token, info: info(&row)? })
    }

    /// Ends a token: who shows it is let in no more.
    ///
    /// # Errors
    /// When the user has none of that name.
    pub async fn remove_token(&self, of: &str, id: &str) -> Result<(), ServerError> {
        let tokens = self.0.store.tokens().await?;
        let found = tokens.iter().find(|token| token.user == of && id_of(&token.hash) == id);
        let found = found.ok_or_else(|| ServerError::Wrong(format!("{of} has no token {id:?}")))?;
        Ok(self.0.store.remove_token(&found.hash).await?)
    }

    /// What each user may, also one that has no token now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_rights(&self) -> Result<BTreeMap<Name, Rights>, ServerError> {
        let groups = self.groups().await?;
        let rights = |row: &UserRow| {
            let (name, of_user) = user(row)?;
            Ok((name, with_groups(of_user, &groups)))
        };
        self.0.store.users().await?.iter().map(rights).collect()
    }

    /// The tokens that let in now, and what they let do; `None` when there are no users.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token_users(&self) -> Result<Option<Vec<TokenUser>>, ServerError> {
        let (users, groups) = (self.0.store.users().await?, self.groups().await?);
        if users.is_empty() {
            return Ok(None);
        }
        let now_us = units::now_us();
        let mut all = Vec::new();
        for token in self.0.store.tokens().await? {
            let over = token.until_us != 0 && token.until_us <= now_us;
            let Some(row) = users.iter().find(|user| user.name == token.user && !over) else {
                continue;
            };
            let hash = token.hash.parse().map_err(|error| damaged(&token.user, &error))?;
            let (right, worker) = scope(&token.scope)?;
            if let Some(name) = worker {
                let (worker, rights) = (Some(name.clone()), Rights::default());
                all.push(TokenUser {
                    name,
                    hash,
                    rights,
                    speaks_for_others: false,
                    worker,
                    job: None,
                });
                continue;
            }
            let (name, of_user) = user(row)?;
            let rights = with_groups(of_user, &groups).at_most(right);
            all.push(TokenUser { name, hash, rights, speaks_for_others: false, worker, job: None });
        }
        Ok(Some(all))
    }
}

/// A user's own rights, and those of the groups.
fn with_groups(user: UserDescription, groups: &[GroupInfo]) -> Rights {
    let of_groups = groups.iter().filter(|group| user.groups.contains(&group.name));
    of_groups.fold(user.rights, |all, group| all.and(&group.rights))
}

/// A token of these random bytes, and what is kept of it.
fn made(
    of: &str,
    asked: TokenRequest,
    bytes: &[u8; TOKEN_BYTES],
) -> Result<(String, TokenRow), ServerError> {
    if asked.note.len() > MAX_NOTE || asked.note.contains(char::is_control) {
        let what = format!("note: it is one line of {MAX_NOTE} bytes at most");
        return Err(ServerError::Wrong(what));
    }
    if asked.scope.is_some() && asked.worker.is_some() {
        let what = "a worker's token has no scope: it can do what that worker does";
        return Err(ServerError::Wrong(what.into()));
    }
    let scope = match asked.worker {
        Some(worker) => format!("{WORKER}{worker}"),
        None => asked.scope.unwrap_or(Right::Control).to_string(),
    };
    let length = asked.length.as_deref().map(units::duration).transpose();
    let length = length.map_err(ServerError::Wrong)?;
    let made_us = units::now_us();
    let until_us = length.map(|length| made_us.saturating_add(length.as_micros() as u64));
    let token = token_of(bytes);
    let hash = TokenHash::of(&token).ok_or_else(|| ServerError::Wrong("a long token".into()))?;
    let row = TokenRow {
        hash: hash.to_string(),
        user: of.to_owned(),
        scope,
        note: asked.note,
        made_us,
        until_us: until_us.unwrap_or(0),
    };
    Ok((token, row))
}

fn user(row: &UserRow) -> Result<(Name, UserDescription), ServerError> {
    let (groups, rights) = (parsed(&row.groups, &row.name)?, parsed(&row.rights, &row.name)?);
    Ok((name(&row.name)?, UserDescription { groups, rights }))
}

fn info(row: &TokenRow) -> Result<TokenInfo, ServerError> {
    let (right, worker) = scope(&row.scope)?;
    Ok(TokenInfo {
        id: id_of(&row.hash).to_owned(),
        scope: right,
        worker,
        note: row.note.clone(),
        made_us: row.made_us,
        until_us: Some(row.until_us).filter(|until| *until != 0),
    })
}

fn id_of(hash: &str) -> &str {
    let digits = hash.rsplit(':').next().unwrap_or(hash);
    digits.get(..ID).unwrap_or(digits)
}

/// The most that can be done with a token, and the worker that it is for.
fn scope(text: &str) -> Result<(Right, Option<Name>), ServerError> {
    if let Some(worker) = text.strip_prefix(WORKER) {
        return Ok((Right::See, Some(name(worker)?)));
    }
    let found = Right::ALL.into_iter().find(|right| right.as_str() == text);
    let found = found.map(|right| (right, None));
    found.ok_or_else(|| StoreError::Damaged(format!("{text:?} is no right")).into())
}

fn name(text: &str) -> Result<Name, ServerError> {
    text.parse().map_err(|error| damaged(text, &error))
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, ServerError> {
    serde_json::from_str(text).map_err(|error| damaged(what, &error))
}

fn damaged(what: &str, error: &dyn std::error::Error) -> ServerError {
    StoreError::Damaged(format!("{what}: {error}")).into()
}
