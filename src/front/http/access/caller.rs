//! Who is at the other end, and what they may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Access;
use crate::config::AccessConfig;
use crate::model::{
    Behalf, Failure, JOB_NAMES, Kind, Lease, Name, Right, Rights, TokenHash, units, user_text,
};
use crate::server::Basis;
use crate::sys::user_name;

/// How often, at least, it is looked whether a job's pass is over: by the clock, which may be set.
const LOOK: Duration = Duration::from_secs(600);

/// Who somebody is. What they may is looked up each time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Nobody has had to log in.
    #[default]
    Anyone,
    /// The user that the daemon runs as, or root, on the Unix socket.
    Owner,
    /// Another user of this host, on the Unix socket.
    Local { uid: u32 },
    /// Who has shown the token of this hash.
    Token { hash: TokenHash },
    /// A job, by a pass that the server of this name has made for it, for these things of ours, and until then, in
    /// seconds since the Unix epoch, if it has them so long.
    Job { server: Name, job: u64, until_s: u64, things: Vec<Name> },
    /// Who has shown a certificate of this name.
    Certificate { name: String },
    /// For whom somebody else asks, who may do that.
    For { speaker: Box<Self>, behalf: Behalf },
}

/// Somebody who has passed the [`super::Guard`].
#[derive(Debug, Clone)]
pub struct Caller {
    access: Access,
    who: Who,
}

/// Follows what somebody may do on one console.
#[derive(Debug)]
pub struct Standing {
    caller: Caller,
    console: Name,
    config: watch::Receiver<Arc<AccessConfig>>,
}

impl Caller {
    pub(super) fn new(access: Access, who: Who) -> Self {
        Self { access, who }
    }

    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Somebody for whom this one asks; `None` when this one may not.
    pub(super) fn speaking_for(self, behalf: Behalf) -> Option<Self> {
        let who = Who::For { speaker: Box::new(self.who.clone()), behalf };
        speaks(&self.access.config(), &self.who).then_some(Self { who, ..self })
    }

    /// What they may do on the console or outlet of a name, now.
    pub fn on(&self, name: &str) -> Option<Right> {
        let kind = self.access.kind_of(name);
        self.right(|rights| rights.on_board(name, kind.as_deref()))
    }

    pub fn may(&self, right: Right, name: &str) -> bool {
        self.on(name) >= Some(right)
    }

    /// What they may do on everything, now.
    pub fn on_all(&self) -> Option<Right> {
        self.right(Rights::on_all)
    }

    /// The most that they may do on anything, now; `None` for who would not be let in any more.
    pub fn on_any(&self) -> Option<Right> {
        self.right(Rights::most)
    }

    /// The worker whose token or certificate they have shown.
    pub(super) fn worker(&self) -> Option<Name> {
        let config = self.access.config();
        match &self.who {
            Who::Token { hash } => config.token(hash).and_then(|user| user.worker.clone()),
            Who::Certificate { name } => {
                let user = config.certificates.iter().find(|user| user.name.as_str() == name);
                user.and_then(|user| user.worker.clone())
            }
            _ => None,
        }
    }

    /// The run of a script whose token they have shown.
    pub fn job(&self) -> Option<u64> {
        let Who::Token { hash } = &self.who else { return None };
        self.access.config().token(hash).and_then(|user| user.job)
    }

    /// All that they may, to be given to a script of theirs. Who speaks for others gives what those may, where
    /// nothing limits the two.
    pub fn rights(&self) -> Rights {
        let everything = || {
            let all = "*".parse().ok();
            all.map(|all| Rights::of(all, Right::Control)).unwrap_or_default()
        };
        let config = self.access.config();
        match &self.who {
            Who::Owner => everything(),
            Who::Anyone | Who::Local { .. } if config.is_open() => everything(),
            Who::Anyone => Rights::default(),
            Who::Local { .. } => config.local.clone().unwrap_or_default(),
            Who::Token { hash } => {
                config.token(hash).map(|user| user.rights.clone()).unwrap_or_default()
            }
            Who::Job { .. } => self.of_job(&config).unwrap_or_default(),
            Who::Certificate { name } => {
                let user = config.certificates.iter().find(|user| user.name.as_str() == name);
                user.map(|user| user.rights.clone()).unwrap_or_default()
            }
            Who::For { speaker, behalf } => {
                let all = right_of(&config, speaker, &Rights::on_all);
                match speaks(&config, speaker) && all == Some(Right::Control) {
                    true => behalf.rights.clone(),
                    false => Rights::default(),
                }
            }
        }
    }

    /// What their rights hang on.
    pub fn basis(&self) -> Basis {
        match &self.who {
            Who::Owner => Basis::Given,
            _ if self.is_stranger() => Basis::Open,
            _ => Basis::Name,
        }
    }

    /// Whether they are let in only as long as nobody has to log in.
    pub fn is_stranger(&self) -> bool {
        let who = match &self.who {
            Who::For { speaker, .. } => &**speaker,
            who => who,
        };
        matches!(who, Who::Anyone | Who::Local { .. }) && self.access.is_open()
    }

    /// The name that they have proved to be theirs.
    pub fn name(&self) -> Option<String> {
        let config = self.access.config();
        match &self.who {
            Who::Anyone | Who::Owner => None,
            Who::Local { .. } if config.is_open() => None,
            Who::Local { uid } => Some(user_name(*uid)),
            Who::Token { hash } => {
                let user = config.token(hash);
                Some(user.map_or_else(|| "nobody".into(), |user| user.name.to_string()))
            }
            Who::Job { server, .. } => Some(server.to_string()),
            Who::Certificate { name } => Some(name.clone()),
            Who::For { behalf, .. } => Some(behalf.user.to_string()),
        }
    }

    /// The name that others see: a proved one, with what they call themselves behind it, as
    /// `alice (ci-42)`; else what they call themselves; else `nameless`. Fit for everybody's terminal.
    pub fn user(&self, said: Option<String>, nameless: impl FnOnce() -> String) -> String {
        let said = said.filter(|said| !said.is_empty());
        let said = match &self.who {
            Who::Job { job, .. } => Some(job_name(*job, said)),
            _ => said,
        };
        let user = match (self.name(), said) {
            (Some(name), Some(said)) if said != name => format!("{name} ({said})"),
            (Some(name), _) => name,
            (None, said) => said.unwrap_or_else(nameless),
        };
        user_text(&user)
    }

    /// What another daemon is told that is asked for them because of a console: who they have proved to be,
    /// and what they may here. `None` for those who have no name here, and may everything.
    ///
    /// # Errors
    /// [`Kind::Refused`] when their name, that of a user of this host, is none that can be told.
    pub fn behalf(&self, console: &Name, from: &str) -> Result<Option<Behalf>, Failure> {
        let Some(name) = self.name() else { return Ok(None) };
        let user = name.parse().map_err(|error| {
            let what = format!("nobody else can be asked on behalf of {name}: {error}");
            Failure::new(Kind::Refused, what).hint("log in with a token")
        })?;
        let config = self.access.config();
        let rights = match &self.who {
            Who::Anyone | Who::Owner => return Ok(None),
            Who::Local { .. } => config.local.clone(),
            Who::Token { hash } if config.limit(hash).is_none() => {
                config.token(hash).map(|user| user.rights.clone())
            }
            Who::Job { .. } => self.of_job(&config),
            Who::Certificate { name } => {
                let user = config.certificates.iter().find(|user| user.name.as_str() == name);
                user.map(|user| user.rights.clone())
            }
            // What two may has no patterns: it is told of the one thing.
            Who::For { .. } | Who::Token { .. } => {
                let only = self.on(console.as_str()).zip(console.as_str().parse().ok());
                only.map(|(right, pattern)| Rights::of(pattern, right))
            }
        };
        let rights = rights.unwrap_or_default();
        Ok(Some(Behalf { user, from: Some(from.to_owned()), rights }))
    }

    /// Follows what they may do on a console.
    pub fn standing(&self, console: Name) -> Standing {
        let mut config = self.access.0.config.subscribe();
        // What has changed since they were let in is to be seen, too.
        config.mark_changed();
        Standing { caller: self.clone(), console, config }
    }

    /// This is the lease of a console or outlet from now on. Jobs whose passes count no more by it are let go.
    pub fn tell_lease(&self, thing: &Name, lease: &Lease) {
        let Access(access) = &self.access;
        if access.jobs.leased(thing, lease, Instant::now()) {
            access.config.send_modify(|_| {});
        }
    }

    /// This lease is over, and there is no other one.
    pub fn tell_end(&self, thing: &Name, lease: &Lease) {
        let Access(access) = &self.access;
        if access.jobs.ended(thing, lease, Instant::now()) {
            access.config.send_modify(|_| {});
        }
    }

    /// How long a job's pass counts for a thing, as far as is known now; `None` when it does not, or is none.
    fn left_of_job(&self, thing: &Name) -> Option<Duration> {
        let Who::Job { job, until_s, .. } = &self.who else { return None };
        self.on(thing.as_str())?;
        let left_us = until_s.saturating_mul(1_000_000).saturating_sub(units::now_us());
        let until = self.access.0.jobs.until(*job, thing);
        let lease = until.map(|until| until.saturating_duration_since(Instant::now()));
        Some(lease.into_iter().fold(Duration::from_micros(left_us), Duration::min))
    }

    fn right(&self, of: impl Fn(&Rights) -> Option<Right>) -> Option<Right> {
        let config = self.access.config();
        match &self.who {
            Who::Job { .. } => self.of_job(&config).and_then(|rights| of(&rights)),
            who => right_of(&config, who, &of),
        }
    }

    /// What a job may: use its boards, as long as it has them, until its pass is over or its server is none any more.
    fn of_job(&self, config: &AccessConfig) -> Option<Rights> {
        let Who::Job { server, job, until_s, things } = &self.who else { return None };
        let counts = config.job_keys.iter().any(|(name, _)| name == server);
        if !counts || *until_s <= units::now_us() / 1_000_000 {
            return None;
        }
        let (jobs, now) = (&self.access.0.jobs, Instant::now());
        let mut rights = Rights::default();
        for thing in things.iter().filter(|thing| !jobs.is_over(*job, thing, now)) {
            thing.as_str().parse().into_iter().for_each(|thing| rights.grant(thing, Right::Write));
        }
        Some(rights)
    }
}

/// What somebody may, as a configuration says.
fn right_of(
    config: &AccessConfig,
    who: &Who,
    of: &dyn Fn(&Rights) -> Option<Right>,
) -> Option<Right> {
    match who {
        Who::Owner => Some(Right::Control),
        Who::Anyone => config.is_open().then_some(Right::Control),
        Who::Local { .. } => match &config.local {
            Some(rights) => of(rights),
            None => config.is_open().then_some(Right::Control),
        },
        Who::Token { hash } => {
            let own = config.token(hash).and_then(|user| of(&user.rights));
            config.limit(hash).map_or(own, |limit| own.min(of(limit)))
        }
        Who::Certificate { name } => {
            let user = config.certificates.iter().find(|user| user.name.as_str() == name);
            user.and_then(|user| of(&user.rights))
        }
        Who::For { speaker, behalf } if speaks(config, speaker) => {
            right_of(config, speaker, of).min(of(&behalf.rights))
        }
        // A job asks for nobody, and what it may itself the leases tell, too: `Caller::of_job`.
        Who::For { .. } | Who::Job { .. } => None,
    }
}

/// What a job is called, which may say which of its several boards it is at: `job:7.1`.
fn job_name(job: u64, said: Option<String>) -> String {
    let own = format!("{JOB_NAMES}{job}");
    let is_own = |said: &String| said.strip_prefix(&own).is_some_and(|rest| rest.starts_with('.'));
    said.filter(is_own).unwrap_or(own)
}

/// Whether somebody may ask for others.
fn speaks(config: &AccessConfig, who: &Who) -> bool {
    match who {
        Who::Owner => true,
        Who::Anyone | Who::Local { .. } => config.is_open(),
        Who::Job { .. } => false,
        Who::Token { hash } => {
            let user = config.tokens.iter().find(|user| user.hash == *hash);
            user.is_some_and(|user| user.speaks_for_others)
        }
        Who::Certificate { name } => {
            let user = config.certificates.iter().find(|user| user.name.as_str() == name);
            user.is_some_and(|user| user.speaks_for_others)
        }
        // Through how many hands it goes could not be told from one that invents it.
        Who::For { .. } => false,
    }
}

impl Standing {
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub fn may(&self, right: Right) -> bool {
        self.caller.may(right, self.console.as_str())
    }

    /// Waits until the rights may be others, and gives the present one; the first time it does not wait.
    /// Cancel safe.
    pub async fn changed(&mut self) -> Option<Right> {
        let over = async {
            match self.caller.left_of_job(&self.console) {
                // A clock may be set.
                Some(left) => tokio::time::sleep(left.min(LOOK)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.config.changed() => if changed.is_err() {
                // It lives as long as the caller, which is here.
                std::future::pending::<()>().await;
            },
            () = over => {}
        }
        self.caller.on(self.console.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenUser;

    fn config(right: Right) -> AccessConfig {
        let mut rights = Rights::default();
        rights.grant("panda*".parse().unwrap(), right);
        let hash = TokenHash::of("secret").unwrap();
        let name = "alice".parse().unwrap();
        let tokens = vec![TokenUser {
            name,
            hash,
            rights,
            speaks_for_others: true,
            worker: None,
            job: None,
        }];
        AccessConfig { tokens, ..AccessConfig::default() }
    }

    fn alice(access: &Access) -> Caller {
        access.caller(Who::Token { hash: TokenHash::of("secret").unwrap() })
    }

    #[test]
    fn nobody_takes_the_name_of_another() {
        let access = Access::new(config(Right::Write));
        let user =
            |said: Option<&str>| alice(&access).user(said.map(Into::into), || "tcp:1".into());
        assert_eq!(user(None), "alice");
        assert_eq!(user(Some("alice")), "alice");
        assert_eq!(user(Some("bob")), "alice (bob)");
        let open = Access::new(AccessConfig::default()).caller(Who::Anyone);
        assert_eq!(open.user(Some("bob".into()), String::new), "bob");
        assert_eq!(open.user(Some("bob\r\n\x1b[2J".into()), String::new), "bob???[2J");
        assert_eq!(open.user(None, || "tcp:1".into()), "tcp:1");
    }

    #[test]
    fn for_whom_one_speaks_may_what_both_may() {
        let behalf = |right| {
            let mut rights = Rights::default();
            rights.grant("panda01".parse().unwrap(), right);
            Behalf { user: "bob".parse().unwrap(), from: None, rights }
        };
        let access = Access::new(config(Right::Write));
        let bob = |right| alice(&access).speaking_for(behalf(right)).unwrap();
        assert_eq!(bob(Right::Spy).on("panda01"), Some(Right::Spy));
        assert_eq!(bob(Right::Control).on("panda01"), Some(Right::Write));
        assert_eq!(bob(Right::Control).on("panda02"), None);
        assert_eq!(bob(Right::Control).on_all(), None);
        assert_eq!(bob(Right::Spy).user(Some("alice".into()), String::new), "bob (alice)");
        assert!(bob(Right::Control).speaking_for(behalf(Right::Control)).is_none());
        let known = bob(Right::Control);
        let mut silent = config(Right::Write);
        silent.tokens[0].speaks_for_others = false;
        access.set(silent);
        assert_eq!(known.on("panda01"), None);
        assert!(alice(&access).speaking_for(behalf(Right::See)).is_none());
    }

    #[tokio::test]
    async fn a_right_changes_under_those_who_have_it() {
        let access = Access::new(config(Right::Write));
        let mut standing = alice(&access).standing("panda01".parse().unwrap());
        assert_eq!(standing.changed().await, Some(Right::Write));
        access.set(config(Right::Spy));
        assert_eq!(standing.changed().await, Some(Right::Spy));
        assert!(!standing.may(Right::Write));
        access.set(AccessConfig::default());
        assert_eq!(standing.changed().await, None);
        // Who never had to log in has to, from now on.
        let anyone = access.caller(Who::Anyone);
        assert!(anyone.may(Right::Control, "panda01"));
        access.set(config(Right::See));
        assert_eq!(anyone.on("panda01"), None);
    }
}
