//! What is said before a client is at the console: who it is, and what it wants.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::{Client, Kind};
use super::notice;
use crate::config::serial::Protocol;
use crate::console::{Attach, Console, Stream};
use crate::model::event::Mode;
use crate::sys::keep_alive;
use crate::wire::attach::PortState;
use crate::wire::conmux::{Reply, Request, Requests, Typing};

/// How much is read at a time, in bytes.
const READ: usize = 4 * 1024;
/// A client has connected within this time, or is let go.
const LIMIT: Duration = Duration::from_secs(30);

/// What a client asks for.
struct Wanted {
    user: String,
    kind: Kind,
    hidden: bool,
}

/// Answers a client's requests until it is at the console; `None` when it goes before.
pub(super) async fn connect(
    mut stream: TcpStream,
    peer: &str,
    console: &Arc<Console>,
) -> io::Result<Option<Client>> {
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    let mut buffer = BytesMut::new();
    let asked = timeout(LIMIT, ask(&mut stream, &mut buffer)).await??;
    let Some((wanted, short)) = asked else { return Ok(None) };
    let mut attach = Attach {
        user: wanted.user,
        via: Protocol::Conmux.as_str(),
        peer: peer.to_owned(),
        mode: Mode::Rw,
        from: None,
        stay: false,
    };
    if wanted.hidden {
        // It asks for the state of the console, as `conmux-console --status` does. Nobody is told of
        // it, and it is shown nothing, until it types.
        attach.from = Some(console.head());
        stream.write_all(greeting(console, None).encode(short).as_bytes()).await?;
        if buffer.is_empty() && stream.read_buf(&mut buffer).await? == 0 {
            return Ok(None);
        }
    }
    let (_, out) = console.attach(attach);
    let mut unsent = BytesMut::new();
    if !wanted.hidden {
        unsent.extend_from_slice(greeting(console, Some(&out)).encode(short).as_bytes());
    }
    Ok(Some(Client {
        stream,
        out,
        kind: wanted.kind,
        typing: Typing::new(console.name().as_str()),
        unread: buffer.freeze(),
        typed: bytes::Bytes::new(),
        unsent,
    }))
}

/// Answers what is no good CONNECT. Bytes behind it stay in the buffer.
async fn ask(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<(Wanted, bool)>> {
    let mut requests = Requests::default();
    loop {
        while !buffer.is_empty() {
            let (used, request) = requests.feed(buffer).map_err(io::Error::other)?;
            buffer.advance(used);
            let Some(request) = request else { continue };
            match Wanted::of(&request) {
                Ok(wanted) => return Ok(Some((wanted, request.short))),
                Err(status) => {
                    let line = Reply::new(status).encode(request.short);
                    stream.write_all(line.as_bytes()).await?;
                }
            }
        }
        buffer.reserve(READ);
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

impl Wanted {
    /// # Errors
    /// The status to answer with.
    fn of(request: &Request) -> Result<Self, String> {
        let id = request.get("id").ok_or("EACCES identifier required")?;
        if request.verb != "CONNECT" {
            return Err("ENOSYS unknown command".into());
        }
        // Two blanks here and there: as clients may compare it.
        let to = request.get("to").ok_or("EINVAL CONNECT  requires 'to' specifier")?;
        if to != "console" {
            return Err(format!("EINVAL '{to}' not a  valid destination specifier"));
        }
        let kind = match request.get("type") {
            None | Some("client") => Kind::Client,
            Some("status") => Kind::Status,
            Some(other) => return Err(format!("EINVAL '{other}' not a valid destination type")),
        };
        // People are called the same whichever program they use.
        let user = id.strip_prefix("user:").filter(|name| !name.is_empty()).unwrap_or(id);
        Ok(Self { user: user.to_owned(), kind, hidden: request.get("hide").is_some() })
    }
}

/// How the console is, and who is there beside the client itself.
fn greeting(console: &Console, client: Option<&Stream>) -> Reply {
    let status = console.status();
    let state = match status.state {
        PortState::Open => "connected",
        PortState::Starting => "transition",
        PortState::Closed { .. } => "disconnected",
    };
    let own = client.map(|out| out.session().id());
    let others = status.sessions.iter().filter(|session| Some(session.session) != own);
    let mut motd: String = others.map(|session| notice::present(&session.user)).collect();
    if let (Some(holder), Some(Mode::Spy)) = (&status.holder, client.map(Stream::mode)) {
        motd.push_str(&notice::read_only(Some(holder)));
    }
    let title = format!("{} [channel {state}]", console.name());
    let reply = Reply::new("OK").with("state", state).with("title", title);
    if motd.is_empty() { reply } else { reply.with("motd", motd) }
}
