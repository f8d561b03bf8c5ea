//! A client of a console: both directions of its connection, from its CONNECT on.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connect;
use super::power::Power;
use super::receiver::Receiver;
use super::sender::{Order, Sender};
use crate::console::{Console, Session, Stream, Told};
use crate::front::hand_over::{ClientState, Ended, HandOver, HandedClient, ProtocolState};
use crate::front::http::access::Who;
use crate::model::latin1;
use crate::wire::conmux::Typing;

/// How many orders may wait for the sending side. A client that does not read them is not read
/// either.
const ORDERS: usize = 8;

/// How long a client that is let go may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the clients of a console have beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Means {
    /// The URL of the board's outlet.
    pub outlet: Option<String>,
    /// They may do what needs the right to control, and switch power, though nobody has logged in.
    pub control: bool,
}

/// … as it is configured at the moment.
pub type MeansNow = watch::Receiver<Means>;

/// A client and its session.
#[derive(Debug)]
pub struct Client {
    pub(super) stream: TcpStream,
    pub(super) out: Stream,
    pub(super) kind: Kind,
    pub(super) typing: Typing,
    /// Typed, and neither understood nor taken yet.
    pub(super) unread: Bytes,
    /// For the board, and not taken yet.
    pub(super) typed: Bytes,
    /// For the client, and not sent yet.
    pub(super) unsent: BytesMut,
}

/// What a client's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// For the board, with escapes.
    Client,
    /// Lines for everybody at the console, as a program tells how far it has come.
    Status,
}

/// How far a client has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConmuxState {
    kind: Kind,
    /// The keys of the escape that is being typed.
    #[serde(with = "latin1")]
    begun: Bytes,
}

/// Serves a client that has just come until it goes, until `shutdown`, or until it is asked for.
pub async fn serve(
    stream: TcpStream,
    peer: String,
    console: Arc<Console>,
    means: MeansNow,
    shutdown: CancellationToken,
    hand_over: HandOver,
) {
    let connected = tokio::select! {
        () = shutdown.cancelled() => return,
        // It has no session yet, and will come again.
        () = hand_over.asked() => return,
        connected = connect::connect(stream, &peer, &console) => connected,
    };
    match connected {
        Ok(Some(client)) => client.run(means, shutdown, hand_over).await,
        Ok(None) => {}
        Err(error) => {
            tracing::debug!(console = %console.name(), %peer, %error, "a client did not connect");
        }
    }
}

/// Tells what the daemon has to say, until the client is to be let go.
async fn tell(session: &Session, orders: mpsc::WeakSender<Order>) {
    loop {
        let (said, ended) = match session.told().await {
            Told::Notice(said) => (said, false),
            Told::Ended(said) => (said, true),
        };
        // Who has closed their side has nothing more ordered, but may still read.
        if let Some(orders) = orders.upgrade() {
            let _ = orders.try_send(Order::Send(format!("\n[{said}]\n").into()));
            if ended {
                let _ = orders.try_send(Order::Quit);
            }
        }
        if ended {
            return;
        }
    }
}

impl Client {
    /// Goes on with a client of another process; `None` when it is none of conmux, or its session is
    /// not known.
    ///
    /// # Errors
    /// When it is no connection.
    pub fn resume(console: &Arc<Console>, client: HandedClient) -> io::Result<Option<Self>> {
        let ClientState { session, protocol, typing, unsent, .. } = client.state;
        let ProtocolState::Conmux(ConmuxState { kind, begun }) = protocol else { return Ok(None) };
        rustix::io::ioctl_fionbio(&client.fd, true)?;
        let stream = TcpStream::from_std(client.fd.into())?;
        Ok(console.rejoin(session).map(|(_, out)| Self {
            stream,
            out,
            kind,
            typing: Typing::resume(console.name().as_str(), &begun),
            unread: Bytes::new(),
            typed: typing,
            unsent: unsent.into(),
        }))
    }

    /// Serves the client until it goes, until `shutdown`, or until it is asked for.
    pub async fn run(mut self, means: MeansNow, shutdown: CancellationToken, hand_over: HandOver) {
        let tasks = TaskTracker::new();
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = self.serve(means, &tasks, &hand_over) => ended,
        };
        match ended {
            Ok(Ended::Asked) => self.give(&hand_over),
            Ok(Ended::Over) => self.finish(&tasks, &shutdown).await,
            Err(error) => {
                let session = self.out.session();
                let console = session.console().name();
                tracing::debug!(%console, user = session.user(), %error, "a client is gone");
                self.finish(&tasks, &shutdown).await;
            }
        }
    }

    /// What the client has begun goes on without it. Others see it as attached until that is done.
    async fn finish(self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        tasks.close();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tasks.wait() => {}
        }
    }

    async fn serve(
        &mut self,
        means: MeansNow,
        tasks: &TaskTracker,
        hand_over: &HandOver,
    ) -> io::Result<Ended> {
        let session = self.out.session().clone();
        let (from, to) = self.stream.split();
        let (order, orders) = mpsc::channel(ORDERS);
        let last = order.downgrade();
        let power = Power {
            console: session.console().clone(),
            user: session.user().to_owned(),
            session: session.id(),
            means,
            orders: order.clone(),
            running: Power::room(),
            tasks: tasks.clone(),
            hand_over: hand_over.clone(),
        };
        let receiver = Receiver {
            session: &session,
            kind: self.kind,
            typing: &mut self.typing,
            typed: BytesMut::from(&std::mem::take(&mut self.typed)[..]),
            orders: order,
            power,
            told: None,
            hand_over,
        };
        let unread = std::mem::take(&mut self.unread);
        let sender = Sender { kind: self.kind, orders, unsent: &mut self.unsent, hand_over };
        let left = {
            let mut up = pin!(receiver.run(from, unread));
            let mut down = pin!(sender.run(to, &mut self.out));
            let mut told = pin!(tell(&session, last));
            tokio::select! {
                ended = &mut up => {
                    let left = ended?;
                    // What was ordered is still sent, and what was begun is told of.
                    tokio::select! {
                        ended = &mut down => ended?,
                        () = &mut told => {
                            let _ = tokio::time::timeout(LAST_WORDS, down).await;
                        }
                    }
                    left
                }
                () = &mut told => {
                    // The client has so long to take it.
                    let _ = tokio::time::timeout(LAST_WORDS, down).await;
                    return Ok(Ended::Over);
                }
                ended = &mut down => {
                    if let Err(error) = ended {
                        // It does not listen any more; what it has said before still counts.
                        up.await?;
                        return Err(error);
                    }
                    return Ok(Ended::Over);
                }
            }
        };
        let Some(typed) = left else {
            // Who was asked for meanwhile has not got it yet.
            let last = self.stream.write_all(&self.unsent);
            let _ = tokio::time::timeout(LAST_WORDS, last).await;
            return Ok(Ended::Over);
        };
        self.typed = typed.freeze();
        Ok(Ended::Asked)
    }

    fn give(self, hand_over: &HandOver) {
        let Ok(stream) = self.stream.into_std() else { return };
        let begun = Bytes::copy_from_slice(self.typing.begun());
        let protocol = ProtocolState::Conmux(ConmuxState { kind: self.kind, begun });
        let console = self.out.session().console().name().clone();
        let (typing, unsent) = (self.typed, self.unsent.freeze());
        let session = self.out.leave();
        let state = ClientState { console, session, who: Who::Anyone, protocol, typing, unsent };
        hand_over.give(HandedClient { fd: stream.into(), state });
    }
}
