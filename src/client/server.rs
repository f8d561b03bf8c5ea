//! A lab's server: its boards, and requests for them.

mod images;

use std::path::Path;
use std::time::Duration;

use serde::de::IgnoredAny;

use super::json_lines::JsonLines;
use super::sockets::sockets_in;
use super::{Endpoint, Http, Login, percent_encoded};
use crate::config::runtime_dir;
use crate::model::{
    Announced, Announcee, Announcement, BoardDescription, BoardIdentity, BoardInfo, BoardRecord,
    BoardRequest, DaemonInfo, Failure, GroupInfo, HealthChange, IdentityVerdict, Kind, LabEvent,
    LeaseChange, Name, NewToken, RequestInfo, Rights, TokenRequest, UserChange, UserDescription,
    UserInfo,
};

/// A server says something every 5 s; one that has said nothing for so long is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(20);

/// A `lava-server`.
///
/// # Errors
/// All that is asked of it fails with the server's own failure where it gave one; else with [`Kind::Lab`].
#[derive(Debug, Clone)]
pub struct LabServer {
    pub(super) http: Http,
}

/// What becomes of a request.
#[derive(Debug)]
pub struct Follow(JsonLines);

/// What becomes of all there is.
#[derive(Debug)]
pub struct LabEvents(JsonLines);

impl LabServer {
    pub fn new(endpoint: Endpoint, login: Login) -> Self {
        Self { http: Http::new(endpoint).with_login(login) }
    }

    /// The server that a URL names, else `$LAVA_SERVER`, else the one of this host.
    ///
    /// # Errors
    /// [`Kind::User`] when none is named, and none is here.
    pub fn locate(url: Option<&str>) -> Result<Self, Failure> {
        let set = std::env::var("LAVA_SERVER").ok().filter(|url| !url.is_empty());
        let url = url.map(str::to_owned).or(set);
        let endpoint = match url {
            Some(url) => url.parse().map_err(|error| Failure::new(Kind::User, error))?,
            None => {
                return Self::at(&runtime_dir()).ok_or_else(|| {
                    Failure::new(Kind::User, "no lava-server is named, and none runs on this host")
                        .hint("name it: --server https://HOST:PORT, or $LAVA_SERVER")
                });
            }
        };
        Ok(Self::new(endpoint, Login::default()))
    }

    /// Where it is: `https://HOST:PORT`.
    pub fn url(&self) -> String {
        self.http.endpoint().to_string()
    }

    /// The one whose socket is in this folder, if there is one.
    pub fn at(dir: &Path) -> Option<Self> {
        let endpoint = sockets_in(dir, "server").into_iter().next()?;
        Some(Self::new(endpoint, Login::default()))
    }

    pub async fn announce(&self, what: &Announcement) -> Result<Announced, Failure> {
        self.http.post("/daemons", what).await
    }

    pub async fn daemons(&self) -> Result<Vec<DaemonInfo>, Failure> {
        self.http.get("/daemons").await
    }

    /// The consoles that daemons have announced.
    pub async fn consoles(&self) -> Result<Vec<Announcee>, Failure> {
        self.http.get("/consoles").await
    }

    /// The outlets that daemons have announced.
    pub async fn outlets(&self) -> Result<Vec<Announcee>, Failure> {
        self.http.get("/outlets").await
    }

    pub async fn boards(&self) -> Result<Vec<BoardInfo>, Failure> {
        self.http.get("/boards").await
    }

    pub async fn board(&self, name: &str) -> Result<BoardInfo, Failure> {
        self.http.get(&board(name, "")).await
    }

    /// Adds a board or, unless it is to be new, describes one anew.
    pub async fn put_board(
        &self,
        name: &Name,
        description: &BoardDescription,
        new: bool,
        user: &str,
    ) -> Result<BoardInfo, Failure> {
        let path = format!("{}&new={new}", by(&board(name.as_str(), ""), user));
        self.http.put(&path, description).await
    }

    pub async fn remove_board(&self, name: &str, user: &str) -> Result<(), Failure> {
        self.http.delete::<IgnoredAny>(&by(&board(name, ""), user)).await.map(|_| ())
    }

    pub async fn set_health(
        &self,
        name: &str,
        change: &HealthChange,
    ) -> Result<BoardInfo, Failure> {
        self.http.post(&board(name, "/health"), change).await
    }

    /// Compares what a board tells of itself with what is known of it.
    pub async fn identify(
        &self,
        name: &str,
        told: &BoardIdentity,
    ) -> Result<IdentityVerdict, Failure> {
        self.http.post(&board(name, "/identity"), told).await
    }

    /// Sets when a board is in maintenance: from and until, in seconds since the Unix epoch.
    pub async fn set_maintenance(
        &self,
        name: &str,
        windows: &[(u64, u64)],
        user: &str,
    ) -> Result<(), Failure> {
        let body = serde_json::json!({"windows": windows, "user": user});
        self.http.post::<IgnoredAny>(&board(name, "/maintenance"), &body).await.map(|_| ())
    }

    pub async fn history(&self, name: &str) -> Result<Vec<BoardRecord>, Failure> {
        self.http.get(&board(name, "/history")).await
    }

    pub async fn users(&self) -> Result<Vec<UserInfo>, Failure> {
        self.http.get("/users").await
    }

    /// Adds a user, or says anew what one may.
    pub async fn put_user(
        &self,
        name: &Name,
        user: &UserDescription,
    ) -> Result<UserChange, Failure> {
        self.http.put(&format!("/users/{name}"), user).await
    }

    /// Also the last one, if nobody is to have to log in any more.
    pub async fn remove_user(&self, name: &Name, open: bool) -> Result<(), Failure> {
        let path = format!("/users/{name}?open={open}");
        self.http.delete::<IgnoredAny>(&path).await.map(|_| ())
    }

    pub async fn new_token(&self, of: &Name, asked: &TokenRequest) -> Result<NewToken, Failure> {
        self.http.post(&format!("/users/{of}/tokens"), asked).await
    }

    /// Ends a token.
    pub async fn remove_token(&self, of: &Name, id: &str) -> Result<(), Failure> {
        let path = format!("/users/{of}/tokens/{}", percent_encoded(id));
        self.http.delete::<IgnoredAny>(&path).await.map(|_| ())
    }

    pub async fn groups(&self) -> Result<Vec<GroupInfo>, Failure> {
        self.http.get("/groups").await
    }

    /// Adds a group, or says anew what its users may.
    pub async fn put_group(&self, name: &Name, rights: &Rights) -> Result<(), Failure> {
        self.http.put::<IgnoredAny>(&format!("/groups/{name}"), rights).await.map(|_| ())
    }

    pub async fn remove_group(&self, name: &Name) -> Result<(), Failure> {
        self.http.delete::<IgnoredAny>(&format!("/groups/{name}")).await.map(|_| ())
    }

    pub async fn submit(&self, asked: &BoardRequest) -> Result<RequestInfo, Failure> {
        self.http.post("/requests", asked).await
    }

    /// Those that have not ended; or all of the last week.
    pub async fn requests(&self, ended: bool) -> Result<Vec<RequestInfo>, Failure> {
        self.http.get(&format!("/requests?ended={ended}")).await
    }

    pub async fn request(&self, id: u64) -> Result<RequestInfo, Failure> {
        self.http.get(&format!("/requests/{id}")).await
    }

    /// Gives boards back, or stops waiting for them; with a reason also somebody else's.
    pub async fn release(
        &self,
        id: u64,
        user: &str,
        reason: Option<&str>,
    ) -> Result<RequestInfo, Failure> {
        let mut path = by(&format!("/requests/{id}"), user);
        if let Some(reason) = reason {
            path.push_str(&format!("&force=true&reason={}", percent_encoded(reason)));
        }
        self.http.delete(&path).await
    }

    /// `extend`, `share`, `unshare` or `give`.
    pub async fn change(
        &self,
        id: u64,
        how: &str,
        change: &LeaseChange,
    ) -> Result<RequestInfo, Failure> {
        self.http.post(&format!("/leases/{id}/{how}"), change).await
    }

    /// Follows what becomes of boards, requests, jobs and daemons.
    pub async fn events(&self) -> Result<LabEvents, Failure> {
        let body = self.http.clone().with_timeout(SILENCE).body("/events").await?;
        Ok(LabEvents(JsonLines::new("what becomes of the lab", body)))
    }

    /// Follows a request until it has ended; the server hears of the user meanwhile.
    pub async fn follow(&self, id: u64, user: &str) -> Result<Follow, Failure> {
        let path = by(&format!("/requests/{id}/follow"), user);
        let body = self.http.clone().with_timeout(SILENCE).body(&path).await?;
        Ok(Follow(JsonLines::new("a request", body)))
    }
}

impl LabEvents {
    /// What has happened next; `None` when the server has ended. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the server is gone, or is not understood.
    pub async fn next(&mut self) -> Result<Option<LabEvent>, Failure> {
        self.0.next_event().await
    }
}

impl Follow {
    /// Where the request stands now; `None` when there is no more to come. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`] when the server is gone, or is not understood.
    pub async fn next(&mut self) -> Result<Option<RequestInfo>, Failure> {
        self.0.next_event().await
    }
}

fn board(name: &str, what: &str) -> String {
    format!("/boards/{}{what}", percent_encoded(name))
}

pub(super) fn by(path: &str, user: &str) -> String {
    format!("{path}?user={}", percent_encoded(user))
}
