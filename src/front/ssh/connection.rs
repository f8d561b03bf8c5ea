//! One connection: who it is, and what they ask for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::keys::{HashAlg, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::doors::Inside;
use super::forward;
use super::pump::{Size, size};
use super::room::Room;
use super::server::SshServer;
use super::session::{self, Asked, Visitor};
use crate::config::ssh::{SshConfig, SshUser};
use crate::model::Behalf;

/// How many channels one connection may have open.
const CHANNELS: usize = 64;
/// How long the answer takes for a key that lets in nobody and is shown again and again.
const SLOWLY: Duration = Duration::from_secs(2);

/// How far somebody's login has come.
#[derive(Debug, Default)]
pub(super) struct Login {
    pub(super) person: Option<Arc<Person>>,
    /// The fingerprint of the last key that lets in nobody.
    pub(super) refused: Option<String>,
    /// Whether somebody would be let in, had they fewer connections.
    pub(super) crowd: bool,
}

/// Somebody who has logged in.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user: SshUser,
    /// With which key.
    blob: Vec<u8>,
    /// Whether their key forbids forwarding.
    stays: bool,
    pub(super) behalf: Arc<Behalf>,
}

impl Person {
    /// Whether a configuration says of them and their key what it said when they logged in.
    pub(super) fn is_the_same_in(&self, config: &SshConfig) -> bool {
        config.user_of(&self.blob).is_some_and(|user| {
            user.name == self.user.name
                && user.rights == self.user.rights
                && stays(user, &self.blob) == self.stays
        })
    }
}

/// Whether a user's key forbids forwarding.
fn stays(user: &SshUser, blob: &[u8]) -> bool {
    user.keys.iter().any(|key| key.blob == blob && key.stays)
}

/// The terminal that a client has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terminal {
    pub(super) term: String,
    /// Rows and columns, when they are told.
    pub(super) size: Size,
}

/// A session channel for which nothing has been asked yet.
struct Opening {
    terminal: Option<Terminal>,
    no_colour: bool,
    /// The channel's task, which waits for it.
    ask: oneshot::Sender<(Visitor, Asked)>,
}

/// What russh asks of a connection.
pub(super) struct Connection {
    server: SshServer,
    peer: SocketAddr,
    login: watch::Sender<Login>,
    inside: Arc<Inside>,
    /// Cancelled when the connection is over.
    closed: CancellationToken,
    /// What the client has sent and nobody has taken.
    room: Room,
    /// The name that was logged in with: a board's, or nothing to us.
    name: String,
    openings: HashMap<ChannelId, Opening>,
    places: Arc<Semaphore>,
}

impl Connection {
    pub(super) fn new(
        server: SshServer,
        peer: SocketAddr,
        login: watch::Sender<Login>,
        inside: Arc<Inside>,
        closed: CancellationToken,
        room: Room,
    ) -> Self {
        let places = Arc::new(Semaphore::new(CHANNELS));
        let (name, openings) = (String::new(), HashMap::new());
        Self { server, peer, login, inside, closed, room, name, openings, places }
    }

    /// Whose key this is. That they have it is another matter.
    fn owner(&self, key: &PublicKey) -> Option<Person> {
        let blob = key.to_bytes().ok()?;
        let config = self.server.config();
        let user = config.user_of(&blob)?.clone();
        let stays = stays(&user, &blob);
        let behalf = Arc::new(Behalf {
            user: user.name.clone(),
            from: Some(self.peer.to_string()),
            rights: user.rights.clone(),
        });
        Some(Person { user, blob, stays, behalf })
    }

    async fn refuse(&self, key: &PublicKey) -> Auth {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let (from, now) = (self.peer.ip(), Instant::now());
        let slowly = self.server.doors().is_tiresome(from, &fingerprint, now);
        self.login.send_modify(|login| login.refused = Some(fingerprint));
        if slowly {
            tokio::time::sleep(SLOWLY).await;
        }
        Auth::reject()
    }

    fn person(&self) -> Option<Arc<Person>> {
        self.login.borrow().person.clone()
    }

    /// Begins what was asked for on a channel.
    fn begin(
        &mut self,
        id: ChannelId,
        asked: Asked,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (Some(opening), Some(person)) = (self.openings.remove(&id), self.person()) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let Opening { terminal, no_colour, ask } = opening;
        let visitor = Visitor {
            lab: self.server.lab().on_behalf_of(person.behalf.clone()),
            top: self.server.config().top.clone(),
            person,
            name: self.name.clone(),
            terminal,
            no_colour,
            files: self.inside.files(),
        };
        // If its task is gone, so is the client.
        let _ = ask.send((visitor, asked));
        Ok(())
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(match self.owner(offer.public_key) {
            Some(_) => Auth::Accept,
            None => self.refuse(offer.public_key).await,
        })
    }

    async fn auth_publickey(
        &mut self,
        name: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let Some(person) = self.owner(key.public_key) else {
            return Ok(self.refuse(key.public_key).await);
        };
        let (user, key) = (&person.user.name, key.public_key.fingerprint(HashAlg::Sha256));
        if !self.inside.known(user) {
            tracing::warn!(%user, peer = %self.peer, "has too many connections for one more");
            // They are let in to be told so.
            self.login.send_modify(|login| login.crowd = true);
            return Ok(Auth::Accept);
        }
        tracing::info!(%user, peer = %self.peer, %key, "logged in");
        name.clone_into(&mut self.name);
        self.login.send_modify(|login| login.person = Some(Arc::new(person)));
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let (ask, asked) = oneshot::channel();
        self.openings.insert(channel.id(), Opening { terminal: None, no_colour: false, ask });
        reply.accept().await;
        let (room, closed, handle) = (self.room.clone(), self.closed.clone(), session.handle());
        self.server.tasks().spawn(async move {
            Box::pin(session::serve(channel, room, asked, closed, handle)).await;
            drop(place);
        });
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(person) = self.person() else { return Ok(()) };
        let config = self.server.config();
        let port = u16::try_from(port).unwrap_or_default();
        let forward = config.forward(&person.user, host, port).filter(|_| !person.stays);
        let place = self.places.clone().try_acquire_owned();
        let (Some(forward), Ok(place)) = (forward.cloned(), place) else {
            let user = &person.user.name;
            tracing::info!(%user, host = host.escape_debug().to_string(), port, "not forwarded");
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        let (server, host) = (self.server.clone(), host.to_owned());
        let (closed, room) = (self.closed.clone(), self.room.clone());
        self.server.tasks().spawn(async move {
            let lost = server.no_longer_forwards(&person, (&host, port), &forward);
            tokio::select! {
                () = forward::run(&forward, &person.user.name, channel, reply, room, lost) => {}
                () = closed.cancelled() => {}
            }
            drop(place);
        });
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.openings.remove(&id);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(opening) = self.openings.get_mut(&id) else { return session.channel_failure(id) };
        let term = term.chars().filter(char::is_ascii_graphic).take(64).collect();
        opening.terminal = Some(Terminal { term, size: size(columns, rows) });
        session.channel_success(id)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        // Of channels that have begun, their tasks hear of it themselves.
        if let Some(terminal) = self.openings.get_mut(&id).and_then(|it| it.terminal.as_mut()) {
            terminal.size = size(columns, rows);
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(opening) = self.openings.get_mut(&id) else { return session.channel_failure(id) };
        if name == "NO_COLOR" && !value.is_empty() {
            opening.no_colour = true;
            return session.channel_success(id);
        }
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.begin(id, Asked::Shell, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.begin(id, Asked::Command(command), session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match name {
            "sftp" => self.begin(id, Asked::Sftp, session),
            _ => session.channel_failure(id),
        }
    }
}
