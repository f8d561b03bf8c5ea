//! Who may do what by HTTP: who somebody is, what they may, and the one place where it is checked.
//!
//! [`Access`] knows the configuration as it is at the moment, [`Guard`] asks it for every request, and
//! what has passed finds the [`Caller`] among the request's extensions.

mod caller;
mod guard;
mod jobs;
mod passed;
#[cfg(test)]
pub(in crate::front) mod table;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use axum::http::StatusCode;
use tokio::sync::watch;

use self::jobs::Jobs;
use super::ApiError;
use crate::config::AccessConfig;
use crate::front::attempts::{Attempts, Verdict, network};
use crate::model::{Failure, JobPass, Kind, PageKey, Refusal, Right, TokenHash, units};

pub use caller::{Caller, Standing, Who};
pub use guard::{Guard, Need, Row, TOKEN_PROTOCOL, guard, last};
pub(in crate::front) use guard::{login_name, only_run, shown};

/// Who may do what, now. It can change at any time.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: watch::Sender<Arc<AccessConfig>>,
    attempts: Mutex<Attempts>,
    pages: Option<Pages>,
    /// The types of boards, by their names, where they are known.
    kinds: RwLock<HashMap<String, String>>,
    /// Where our consoles or outlets are for clients, as `http://farm1:7100/consoles`: jobs' passes are for those.
    places: RwLock<Vec<String>>,
    jobs: Jobs,
}

/// Where a connection is from, and what that says of who it is; an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Tcp {
        address: IpAddr,
        /// The listener may let in those who have not logged in: it is at loopback, or is to be open to
        /// everyone (`insecure = true`). While a changed configuration is put into effect, another
        /// listener may still be there.
        may_be_open: bool,
        /// The names in the client's certificate, which one of our CAs has signed.
        certificate: Vec<String>,
    },
    /// A process of this host; the kernel says whose.
    Unix { uid: u32 },
    /// Somebody else has passed the request on, and where that one is says nothing of who asks.
    Passed {
        by: IpAddr,
        /// Who asks is on the host of who has passed it on.
        near: bool,
        /// As above.
        may_be_open: bool,
    },
}

/// What the logins of pages are made with. It is looked for when the first one logs in.
pub struct Pages {
    find: Box<dyn Fn() -> Option<PageKey> + Send + Sync>,
    key: OnceLock<Option<PageKey>>,
}

impl Pages {
    /// With a way to the key; without a key nobody can log in on a page.
    pub fn new(find: impl Fn() -> Option<PageKey> + Send + Sync + 'static) -> Self {
        Self { find: Box::new(find), key: OnceLock::new() }
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pages")
    }
}

/// What somebody shows to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::front) enum Shown<'a> {
    Nothing,
    Token(Cow<'a, str>),
    /// What a page has been given for its token.
    Login(&'a str),
}

impl Origin {
    /// Whether it is a TCP connection from this host.
    pub(in crate::front::http) fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp { address, .. } | Self::Passed { by: address, .. } => {
                address.to_canonical().is_loopback()
            }
            Self::Unix { .. } => false,
        }
    }
}

impl Access {
    pub fn new(config: AccessConfig) -> Self {
        Self::with(config, None)
    }

    /// The same for a daemon that has pages, in which people log in.
    pub fn with_pages(config: AccessConfig, pages: Pages) -> Self {
        Self::with(config, Some(pages))
    }

    fn with(config: AccessConfig, pages: Option<Pages>) -> Self {
        let config = watch::Sender::new(Arc::new(config));
        let (attempts, kinds) = (Mutex::default(), RwLock::default());
        let (places, jobs) = (RwLock::default(), Jobs::default());
        Self(Arc::new(Inner { config, attempts, pages, kinds, places, jobs }))
    }

    /// The same for a daemon whose consoles or outlets clients find at these places. Without any, no job is let in by a
    /// pass.
    #[must_use]
    pub fn at(self, places: Vec<String>) -> Self {
        self.move_to(places);
        self
    }

    /// From now on clients find them at these places.
    pub fn move_to(&self, places: Vec<String>) {
        *self.0.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }

    /// From now on this counts, for those who are attached already, too.
    pub fn set(&self, config: AccessConfig) {
        self.0.config.send_if_modified(|present| {
            let changed = **present != config;
            if changed {
                *present = Arc::new(config);
            }
            changed
        });
    }

    /// Somebody of whom it is known already who they are.
    pub fn caller(&self, who: Who) -> Caller {
        Caller::new(self.clone(), who)
    }

    /// From now on these are the types of boards.
    pub(in crate::front) fn set_kinds(&self, kinds: HashMap<String, String>) {
        *self.0.kinds.write().unwrap_or_else(PoisonError::into_inner) = kinds;
    }

    /// From now on this is the type of a board.
    pub(in crate::front) fn set_kind(&self, name: &str, kind: &str) {
        let mut kinds = self.0.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(name.to_owned(), kind.to_owned());
    }

    fn kind_of(&self, name: &str) -> Option<String> {
        self.0.kinds.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// What somebody of this name may do on a board, by all that lets them in: `Some(None)` when nothing does, and
    /// `None` where nobody has to log in.
    pub(in crate::front) fn rights_of(
        &self,
        user: &str,
    ) -> Option<Option<impl Fn(&str) -> Option<Right> + Send + Sync + use<>>> {
        let config = self.config();
        if config.is_open() {
            return None;
        }
        let access = self.clone();
        Some(config.rights_of(user).map(|rights| {
            move |board: &str| rights.on_board(board, access.kind_of(board).as_deref())
        }))
    }

    /// Whether nobody has to log in, now.
    pub fn is_open(&self) -> bool {
        self.config().is_open()
    }

    fn config(&self) -> Arc<AccessConfig> {
        self.0.config.borrow().clone()
    }

    /// What a page shows from now on for a token; `None` where nobody has to log in.
    ///
    /// # Errors
    /// As [`Self::identify`].
    pub(in crate::front) fn log_in(
        &self,
        origin: &Origin,
        token: &str,
    ) -> Result<Option<String>, ApiError> {
        let caller = self.identify(origin, Shown::Token(token.into()))?;
        let (Who::Token { hash }, Some(key)) = (caller.who(), self.key()) else { return Ok(None) };
        Ok(Some(key.issue(hash, units::now_us() / 1_000_000)))
    }

    fn key(&self) -> Option<&PageKey> {
        let pages = self.0.pages.as_ref()?;
        pages.key.get_or_init(|| (pages.find)()).as_ref()
    }

    /// The token of which a page's login is.
    fn of_login(&self, config: &AccessConfig, login: &str) -> Option<TokenHash> {
        let (key, now_s) = (self.key()?, units::now_us() / 1_000_000);
        config.tokens.iter().map(|user| user.hash).find(|hash| key.is_of(login, hash, now_s))
    }

    /// Who somebody is. A token counts more than a certificate.
    ///
    /// # Errors
    /// 401 when it cannot be told; 429 to those who have tried too many tokens.
    pub(in crate::front) fn identify(
        &self,
        origin: &Origin,
        shown: Shown<'_>,
    ) -> Result<Caller, ApiError> {
        let config = self.config();
        if let Shown::Token(token) = &shown
            && let Some(hash) = TokenHash::of(token)
            && config.runs.iter().any(|run| run.hash == hash)
        {
            return Ok(self.caller(Who::Token { hash }));
        }
        if let Shown::Token(token) = &shown
            && let Some((server, pass)) = config.job_pass(token)
            && pass.until_s > units::now_us() / 1_000_000
        {
            let places = self.0.places.read().unwrap_or_else(PoisonError::into_inner);
            let things = pass.names_at(&places);
            let JobPass { job, until_s, things: all } = pass;
            if things.is_empty() {
                let (all, here) = (all.join(", "), places.first().map_or("", String::as_str));
                let what = format!("this is the pass of job {job} for {all}, and not for {here}/…");
                return Err(unknown(&what));
            }
            return Ok(self.caller(Who::Job { server: server.clone(), job, until_s, things }));
        }
        let (token, login) = match shown {
            Shown::Nothing => (None, None),
            Shown::Token(token) => (Some(token), None),
            Shown::Login(login) => (None, self.of_login(&config, login)),
        };
        let who = match (origin, token, login) {
            (Origin::Unix { uid }, _, _) if is_trusted(*uid) => Who::Owner,
            (
                Origin::Tcp { may_be_open: true, .. } | Origin::Passed { may_be_open: true, .. },
                ..,
            ) if config.is_open() => Who::Anyone,
            (_, Some(token), _) if !config.is_open() => self.of_token(&config, origin, &token)?,
            (_, _, Some(hash)) => Who::Token { hash },
            (Origin::Unix { uid }, ..) => {
                let who = Who::Local { uid: *uid };
                if config.local.is_none() && !config.is_open() {
                    return Err(unknown("this daemon belongs to another user of this host"));
                }
                who
            }
            (Origin::Passed { .. }, ..) => {
                return Err(unknown(
                    "who comes through another server, or a proxy, is let in by a token alone: not by \
                     where that one is, its user or a certificate",
                ));
            }
            (Origin::Tcp { certificate, .. }, ..) => {
                let known = |name: &&String| {
                    config.certificates.iter().any(|user| user.name.as_str() == name.as_str())
                };
                match certificate.iter().find(known) {
                    Some(name) => Who::Certificate { name: name.clone() },
                    None if certificate.is_empty() => {
                        return Err(unknown("this daemon does not serve people it does not know"));
                    }
                    None => {
                        let named = certificate.join(", ");
                        let what = format!("nobody here has a certificate of the name {named}");
                        return Err(unknown(&what));
                    }
                }
            }
        };
        Ok(self.caller(who))
    }

    fn of_token(
        &self,
        config: &AccessConfig,
        origin: &Origin,
        token: &str,
    ) -> Result<Who, ApiError> {
        let shown = TokenHash::of(token);
        // All of them are looked at, so that the time tells nothing.
        let known = config.tokens.iter().fold(None, |known, user| {
            if Some(user.hash) == shown { Some(user.hash) } else { known }
        });
        if let Some(hash) = known {
            return Ok(Who::Token { hash });
        }
        let from = match origin {
            Origin::Tcp { address, .. } | Origin::Passed { by: address, .. } => *address,
            Origin::Unix { .. } => Ipv6Addr::UNSPECIFIED.into(),
        };
        let verdict = {
            let attempts = self.0.attempts.lock();
            let mut attempts = attempts.unwrap_or_else(PoisonError::into_inner);
            attempts.failed(network(from), Instant::now())
        };
        if verdict.is_told() {
            tracing::warn!(?origin, "a login was refused: nobody has this token");
        }
        Err(match verdict {
            Verdict::Wrong { .. } => unknown("nobody here has this token"),
            Verdict::TooMany { .. } => {
                let what = "too many wrong tokens came from there; try again in a minute";
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, Failure::new(Kind::Refused, what))
            }
        })
    }
}

/// Whether a user of this host may do everything here anyhow: who we run as, and root.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// 401
fn unknown(what: &str) -> ApiError {
    let failure = Failure::new(Kind::Refused, what).hint(
        "show a token as \"Authorization: Bearer TOKEN\"; our programs take it from $LAVA_TOKEN, \
         the file $LAVA_TOKEN_FILE, or ~/.config/lava/token",
    );
    ApiError::new(StatusCode::UNAUTHORIZED, failure.because(Refusal::Rights))
}

/// 403: what is missing, and for what.
pub(super) fn missing(caller: &Caller, has: Option<Right>, needed: Right, on: &str) -> ApiError {
    let name = caller.name().unwrap_or_else(|| "you".into());
    let has = has.map_or("nothing", Right::as_str);
    let what = format!("{name} may {has} on {on}, and this needs {needed}");
    let failure = Failure::new(Kind::Refused, what).hint(match caller.who() {
        Who::For { .. } => format!(
            "it takes both: {needed} = […] of the [[user]] where you log in, and of the [[token]] that \
             speaks for you"
        ),
        _ => format!(
            "the daemon's configuration says who may what: {needed} = […] of its [[token]] or [local]"
        ),
    });
    ApiError::new(StatusCode::FORBIDDEN, failure.because(Refusal::Rights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CertificateUser, TokenUser};
    use crate::model::Rights;

    fn rights(right: Right) -> Rights {
        let mut rights = Rights::default();
        rights.grant("*".parse().unwrap(), right);
        rights
    }

    fn access(local: Option<Right>) -> Access {
        let hash = TokenHash::of("secret").unwrap();
        let alice = TokenUser {
            name: "alice".parse().unwrap(),
            hash,
            rights: rights(Right::Spy),
            speaks_for_others: false,
            worker: None,
            job: None,
        };
        let farm = CertificateUser {
            name: "farm".parse().unwrap(),
            rights: rights(Right::Write),
            speaks_for_others: true,
            worker: None,
        };
        Access::new(AccessConfig {
            tokens: vec![alice],
            certificates: vec![farm],
            local: local.map(rights),
            ..AccessConfig::default()
        })
    }

    /// Name and right of who is let in, or the status of the refusal.
    fn let_in(access: &Access, origin: &Origin, token: Option<&str>) -> Result<String, u16> {
        let shown = token.map_or(Shown::Nothing, |token| Shown::Token(token.into()));
        let caller = access.identify(origin, shown).map_err(|refused| refused.status.as_u16())?;
        let right = caller.on("panda01").map_or("nothing", Right::as_str);
        Ok(format!("{} {right}", caller.name().unwrap_or_else(|| "-".into())))
    }

    #[test]
    fn other_users_of_the_host_may_what_local_says_or_their_token() {
        let uid = rustix::process::geteuid().as_raw();
        let other = Origin::Unix { uid: 4_000_000_000 };
        for trusted in [0, uid] {
            assert_eq!(
                let_in(&access(None), &Origin::Unix { uid: trusted }, None).unwrap(),
                "- control"
            );
        }
        assert_eq!(let_in(&access(None), &other, None), Err(401));
        assert_eq!(let_in(&access(None), &other, Some("secret")).unwrap(), "alice spy");
        assert_eq!(let_in(&access(None), &other, Some("wrong")), Err(401));
        let local = access(Some(Right::See));
        assert_eq!(let_in(&local, &other, None).unwrap(), "uid-4000000000 see");
        let open = Access::new(AccessConfig::default());
        assert_eq!(let_in(&open, &other, Some("wrong")).unwrap(), "- control");
    }

    #[test]
    fn a_listener_on_the_network_is_not_open_while_it_is_about_to_close() {
        let open = Access::new(AccessConfig::default());
        let origin = |may_be_open| Origin::Tcp {
            address: IpAddr::from([192, 0, 2, 7]),
            may_be_open,
            certificate: Vec::new(),
        };
        assert_eq!(let_in(&open, &origin(true), None).unwrap(), "- control");
        assert_eq!(let_in(&open, &origin(false), None), Err(401));
        assert_eq!(let_in(&open, &origin(false), Some("secret")), Err(401));
    }

    #[test]
    fn a_certificate_lets_in_by_any_of_its_names_and_a_token_counts_more() {
        let origin = |names: &[&str]| Origin::Tcp {
            address: IpAddr::from([127, 0, 0, 1]),
            may_be_open: true,
            certificate: names.iter().map(ToString::to_string).collect(),
        };
        let access = access(None);
        assert_eq!(let_in(&access, &origin(&["x", "farm"]), None).unwrap(), "farm write");
        assert_eq!(let_in(&access, &origin(&["farm"]), Some("secret")).unwrap(), "alice spy");
        assert_eq!(let_in(&access, &origin(&["farm"]), Some("wrong")), Err(401));
        assert_eq!(let_in(&access, &origin(&["x"]), None), Err(401));
        assert_eq!(let_in(&access, &origin(&[]), None), Err(401));
    }
}
