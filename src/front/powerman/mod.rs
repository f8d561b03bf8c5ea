//! Outlets for the clients of powerman: what they call nodes are our outlets, and devices our PDUs.
//!
//! Nobody is authenticated, and nothing is forced. A command ends with success only when all of it was
//! done; what was not is told by name before that.

mod commands;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::commands::Session;
use super::accept;
use crate::power::Power;
use crate::wire::powerman::{Command, Lines, PROMPT, Refusal, Reply};

/// How much is read at a time, in bytes.
const READ: usize = 4 * 1024;
/// The most clients at a time; who comes after that is let go at once.
const MAX_CLIENTS: usize = 256;
/// The most commands that may wait while one is carried out; powermand knows none that wait.
const MAX_WAITING: usize = 64;
/// A client that asks nothing for so long, or takes no answer, is let go.
const IDLE: Duration = Duration::from_secs(600);

/// Serves powerman's clients until `shutdown`.
pub async fn serve(listener: Arc<TcpListener>, power: Arc<Power>, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    let stop = shutdown.clone().cancelled_owned();
    accept::serve(listener, "powerman", stop, |clients, stream, peer| {
        let Ok(room) = room.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "a client of powerman was let go: there are {MAX_CLIENTS} already");
            return;
        };
        let session = Session::new(power.clone(), format!("powerman:{}", peer.ip()));
        let shutdown = shutdown.clone();
        clients.spawn(async move {
            if let Err(error) = converse(stream, session, &shutdown).await {
                tracing::debug!(%peer, %error, "a client of powerman is gone");
            }
            drop(room);
        });
    })
    .await;
}

/// Serves one client, until `shutdown` when it has asked for nothing. When it goes, what it asked for and
/// has not begun is not carried out.
async fn converse(
    mut stream: TcpStream,
    mut session: Session,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (from, mut to) = stream.split();
    let mut input =
        Input { from, lines: Lines::default(), waiting: VecDeque::new(), has_ended: false };
    send(&mut to, &[Reply::Banner], true).await?;
    let mut has_begun = false;
    while let Some(line) = shutdown.run_until_cancelled(input.next()).await.transpose()?.flatten() {
        let command = match line.and_then(|line| Command::parse(&line)) {
            Ok(Command::Quit) => return send(&mut to, &[Reply::Goodbye], false).await,
            Ok(command) => command,
            Err(refusal) => {
                let foreign = refusal == Refusal::Foreign;
                if foreign || (refusal == Refusal::TooLong && !has_begun) {
                    // What follows may be anybody's: behind a page's headers is what a stranger wrote.
                    tracing::info!(who = session.who(), "this is not powerman's protocol");
                    return send(&mut to, &[Reply::Refused(refusal)], false).await;
                }
                send(&mut to, &[Reply::Refused(refusal)], true).await?;
                continue;
            }
        };
        has_begun = true;
        let mut carried_out = std::pin::pin!(session.carry_out(command));
        let replies = loop {
            tokio::select! {
                biased;
                replies = &mut carried_out => break replies,
                more = input.more(), if !input.has_ended => {
                    if !more? && input.waiting.is_empty() {
                        return Ok(());
                    }
                    if input.has_ended {
                        // A script: it has sent everything, and reads on.
                        continue;
                    }
                    // As powermand says it; what came is done afterwards all the same.
                    send(&mut to, &[Reply::InProgress], false).await?;
                }
            }
        };
        send(&mut to, &replies, true).await?;
    }
    Ok(())
}

/// What a client sends.
struct Input<'a> {
    from: ReadHalf<'a>,
    lines: Lines,
    waiting: VecDeque<Result<String, Refusal>>,
    /// The client has closed its side.
    has_ended: bool,
}

impl Input<'_> {
    /// The next line; `None` when the client has gone.
    async fn next(&mut self) -> io::Result<Option<Result<String, Refusal>>> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Ok(Some(line));
            }
            if self.has_ended || !timeout(IDLE, self.more()).await?? {
                return Ok(None);
            }
        }
    }

    /// Reads some more; false when the client has gone. Cancel safe.
    async fn more(&mut self) -> io::Result<bool> {
        let mut scratch = [0; READ];
        let count = self.from.read(&mut scratch).await?;
        self.has_ended = count == 0;
        self.waiting.extend(self.lines.feed(&scratch[..count]));
        if self.waiting.len() > MAX_WAITING {
            return Err(io::Error::other("it sends more commands than it waits for"));
        }
        Ok(count > 0)
    }
}

async fn send(to: &mut WriteHalf<'_>, replies: &[Reply], prompt: bool) -> io::Result<()> {
    let mut text: String = replies.iter().map(|reply| format!("{reply}\r\n")).collect();
    if prompt {
        text.push_str(PROMPT);
    }
    timeout(IDLE, to.write_all(text.as_bytes())).await?
}
